"""What one person reports beyond the community's quota: kept with its number, shown in one list to the secretary.

Nothing is dropped or refused, and who posted sees 👀 as always. What is dangerous goes its way all the same, only
behind what others report as dangerous. The count is made from rows: no restart forgets it.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.domain.categories import CATEGORIES
from bot.services.desk import Desk
from bot.services.effects import call_secretary
from bot.services.posting import dangerous
from storage import chats
from storage.backlog import OFTEN
from storage.posts import bump_post, latest_seq, refresh_post, standing_posts
from storage.quotas import filed_since, first_filed
from storage.store import stir
from storage.tables import Binding, Community, Incident, Person, Post, Shop

HOUR = timedelta(hours=1)
AGAIN = timedelta(hours=12)
"""A list that still waits on the next working day is shown anew, so that it rings."""
DANGEROUS = frozenset(key for key, category in CATEGORIES.items() if category.dangerous)


@dataclass(frozen=True)
class Flood:
    """Whose list a notice in the office is."""

    community_id: int
    author_id: int
    since: datetime
    upto: int = 0
    """Incidents up to this id were let go, or dismissed, all at once: they are no longer listed."""

    @classmethod
    def of(cls, post: Post) -> "Flood":
        args = post.args
        since = datetime.fromisoformat(str(args["since"]))
        return cls(int(args["community"]), int(args["author"]), since, int(args.get("upto", 0)))


def subject(community_id: int, author_id: int) -> str:
    return f"quota:{community_id}:{author_id}"


def must_wait(desk: Desk, incident: Incident, community: Community) -> bool:
    """Whether a report just filed is beyond its author's quota and has to wait; marks it when it is beyond.

    What is dangerous is counted by itself and never waits: twenty blocked pavements hide no broken cover.
    """
    own = incident.reporter_id is not None and incident.reporter_id in chats.secretaries_of(
        desk.session, community.ident
    )
    if not community.quota or own:
        return False
    kinds = DANGEROUS if dangerous(incident) else frozenset()
    earlier = filed_since(desk.session, incident, desk.now - HOUR, kinds, community.quota)
    incident.beyond = earlier >= community.quota
    return incident.beyond and not kinds


def hold(desk: Desk, incident: Incident) -> None:
    """Keep it for the secretary: no card, no line, no clock of a unit that has not been given it."""
    call_secretary(incident, "quota")
    incident.accept_due = incident.safe_due = incident.repair_due = None
    tell(desk, incident, HOUR)


def remind(desk: Desk, incident: Incident) -> None:
    """It still waits on a new working day. All of its author's are reminded of by one list."""
    tell(desk, incident, AGAIN)


def tell(desk: Desk, incident: Incident, every: timedelta) -> None:
    """One list for each person stands in the office; a new one, which rings, when the last is older than `every`."""
    session = desk.session
    office = chats.office_of(session, incident.community_id)
    if office is None:
        return
    key = subject(incident.community_id, incident.author_id)
    standing = standing_posts(session, key, office.chat_id, "quota")
    newest = max(standing, key=lambda post: post.seq, default=None)
    if newest is not None and desk.now - datetime.fromisoformat(str(newest.args["told"])) < every:
        refresh_post(session, newest.ident, desk.now + OFTEN)
        return
    since = first_filed(session, incident.community_id, incident.author_id, desk.now - HOUR)
    args = {"community": incident.community_id, "author": incident.author_id, "told": desk.now.isoformat()}
    args["since"] = (since or desk.now).isoformat()
    if newest is not None:
        args = {**newest.args, "told": args["told"]} if every == AGAIN else {**args, "upto": newest.args.get("upto", 0)}
    for earlier in standing:
        earlier.args = {**earlier.args, "newest": False}
        bump_post(session, earlier, desk.now)
    seq = latest_seq(session, key, office.chat_id, "quota") + 1
    thread = office.thread_id
    session.add(
        Post(subject=key, kind="quota", chat_id=office.chat_id, thread_id=thread, seq=seq, args=args, due_at=desk.now)
    )
    stir(session, "posts")


def who(desk: Desk, flood: Flood) -> str:
    """The shop, else the person, else the group in whose name it was written: the office may know. Empty: nobody
    that is known any more."""
    shop = desk.session.get(Shop, (flood.community_id, flood.author_id))
    person = desk.session.get(Person, flood.author_id)
    group = desk.session.get(Binding, flood.author_id)
    names = (shop.name if shop else "", person.name if person else "", group.title if group else "")
    return next(filter(None, names), "")
