"""What becomes of a draft: filed when its words are clear, asked about when they are not, forgotten when it is none."""

from datetime import timedelta

from bot.domain.acts import Act, Role, Status
from bot.domain.deadlines import VERIFY
from bot.domain.recognising import recognise, says_report
from bot.domain.rights import BOT
from bot.services import filing
from bot.services.desk import Desk
from bot.services.effects import Step, call_secretary
from bot.services.lifecycle import decide, settle
from bot.services.posting import add_post, post_up
from storage.erasing import forget_traces
from storage.incidents import parts_of, words_of
from storage.tables import Community, Incident
from storage.timers import set_timer

ANSWER_WITHIN = timedelta(minutes=5)
"""How long the author's prompt waits before the secretary sees the draft."""

MOST_WORDS = 100
"""Messages whose words are looked up: recognising reads no more than a caption's length anyway."""


def consider(
    desk: Desk, incident: Incident, community: Community, words: str | None = None, fresh: bool = False
) -> None:
    """File it when its words are clear, else let it gather on. `fresh`: it is new in this job."""
    guess = recognise(_words(desk, incident) if words is None else words)
    incident.likely = list(guess.likely)
    desk.session.add(incident)
    if guess.sure is not None:
        filing.file(desk, incident, guess.sure, fresh=fresh)
        return
    gather_on(desk, incident, community, fresh)


def gather_on(desk: Desk, incident: Incident, community: Community, fresh: bool = False) -> None:
    """What it is nobody knows yet: it goes on gathering for as long as the community has set."""
    if not incident.prompted:
        # By our clock alone: what arrives late, after an outage, still waits for what arrives with it, and where ours
        # is behind Telegram's by an hour nobody waits for that hour.
        set_timer(desk.session, incident.ident, "gather", desk.now + timedelta(seconds=community.gather))
    if community.intake != "keyword" or incident.explicit:
        post_up(desk, incident, fresh)


def gather_over(desk: Desk, incident: Incident) -> None:
    """The gathering time is over and the words name no category: ask the author, or do as the community has set."""
    if incident.status != Status.DRAFT:
        return
    intake = desk.session.get_one(Community, incident.community_id).intake
    if intake == "all":
        filing.file(desk, incident, "other")
    elif intake == "keyword" and not incident.explicit and not says_report(_words(desk, incident)):
        forget(desk, incident)
    else:
        ask_author(desk, incident)


def ask_author(desk: Desk, incident: Incident) -> None:
    """A quiet prompt for the author alone; the secretary is asked where Telegram hides who the author is."""
    incident.prompted = True
    desk.session.add(incident)
    if incident.reporter_id is None:
        unanswered(desk, incident)
        return
    add_post(
        desk,
        incident,
        "prompt",
        incident.chat_id,
        thread_id=incident.thread_id,
        reply_to=incident.message_id or None,
        user_id=incident.reporter_id,
        remove_at=desk.now + ANSWER_WITHIN,
    )
    incident.gather_until = desk.now + ANSWER_WITHIN
    set_timer(desk.session, incident.ident, "answer", desk.now + ANSWER_WITHIN)
    post_up(desk, incident)


def unanswered(desk: Desk, incident: Incident) -> None:
    """Nobody told what it is: the secretary does. The group sees nothing of it."""
    if incident.status == Status.DRAFT:
        call_secretary(incident, "unknown")
        community = desk.session.get_one(Community, incident.community_id)
        incident.verify_due = desk.calendar(community).add(desk.now, VERIFY)
        settle(desk, incident)


def forget(desk: Desk, incident: Incident) -> None:
    """No report after all: its words and pictures go. The empty row stays, lest a stale button mean another."""
    decide(desk, incident, Step(Act.NOT_A_REPORT, BOT, Role.BOT))
    settle(desk, incident)
    erase(desk, incident)


def erase(desk: Desk, incident: Incident) -> None:
    """Take out of the rows what a message that was no report said and showed."""
    others = set()
    for part in parts_of(desk.session, incident.ident):
        others.add(part.user_id)
        desk.session.delete(part)
    incident.latitude = incident.longitude = None
    incident.place = incident.shop = incident.address = ""
    incident.likely = []
    author, incident.reporter_id, incident.author_id = incident.author_id, None, 0
    desk.session.add(incident)
    forget_traces(desk.session, incident.ident, others | {author})


def _words(desk: Desk, incident: Incident) -> str:
    desk.session.flush()
    return "\n".join(words_of(desk.session, incident.ident, MOST_WORDS))
