"""The rows' side of delivery: what a post should show now, and what to note once it was tried."""

from dataclasses import dataclass
from datetime import timedelta

from bot.channels.outcome import Migrated, Missing, Outcome, Place, Refused, Removed, Shown, Unfit, Unknown, Wait
from bot.domain.acts import OPEN
from bot.services import binding as bindings
from bot.services.desk import Desk
from bot.services.effects import call_secretary
from bot.services.holding import hold_back
from bot.services.notices import NOTICES
from bot.services.posting import post_up
from bot.services.reminding import waits_until
from bot.speech import Speech
from bot.views.cards import CARDS
from bot.views.content import Content, Gone, Screen, Shape
from storage import chats
from storage.incidents import lock
from storage.posts import find_post, forget_messages, hasten, remember_messages
from storage.restored import hold_lost
from storage.scenes import load_scene
from storage.tables import Binding, Community, Incident, Person, Post

LEASE = timedelta(seconds=60)
SOON = timedelta(seconds=0.25)
KNOCK, RARELY = 60, 3600
"""Seconds until the bot tries again to write where it may not, and the longest: nothing tells that it may again."""
FOLLOWS = timedelta(minutes=10)
FOLLOWS_WITHIN = timedelta(days=1)
"""How often, and for how long, a picture is fetched that its card had to go out without."""
LAST_TRY = 8
"""Attempts with an unknown or refused outcome before a post is called broken."""


@dataclass(frozen=True)
class Prepared:
    """A post ready to go out. `wanted` is the version it will show."""

    post_id: int
    wanted: int
    place: Place
    shape: Shape
    attempts: int = 0
    urgent: bool = False
    carded: int | None = None
    """The incident of a card: whether its card arrived is the incident's matter too."""
    lost: bool = False
    """The chat counts as lost."""

    @property
    def sends(self) -> bool:
        """Whether it makes a new message: going out twice, that would stand there twice."""
        if not isinstance(self.shape, Content):
            return False
        if self.shape.album:
            return not set(self.shape.pictures) <= set(self.place.picture.split(","))
        return not self.place.message_ids and self.place.form == ""


def prepare(desk: Desk, post_id: int) -> Prepared | None:
    """Render the post as its rows are now. None: nothing has to be sent."""
    session = desk.session
    # Held, here and when it is noted: a change that comes meanwhile must find the post as it will be, and not be lost.
    post = session.get(Post, post_id, with_for_update=True)
    if post is None or post.due_at is None or post.due_at > desk.now:
        return None
    if post.state == "sending":
        # Not ours, then: a server may commit what it was told last by a relay that has died since.
        post.state = "unknown"
        session.add(post)
    if hold_back(desk, post):
        return None
    shape = _shape(desk, post)
    removing = post.remove_at is not None and post.remove_at <= desk.now
    if removing:
        shape = Gone("·")
    unsent = not post.message_ids and post.form == ""
    if isinstance(shape, Gone) and unsent:
        _note(desk, post, Removed(), post.wanted, shape, post.chat_id)
        return None
    if shape.digest == post.digest and post.state == "shown":
        post.shown = post.wanted
        post.due_at = post.remove_at
        session.add(post)
        return None
    if post.kind == "reminder" and unsent and not isinstance(shape, Gone):
        later = waits_until(desk, post)
        if later > desk.now:
            post.due_at = later
            session.add(post)
            return None
    place = Place(
        chat_id=post.chat_id,
        thread_id=post.thread_id,
        reply_to=post.reply_to,
        user_id=post.user_id,
        message_ids=tuple(post.message_ids),
        form=post.form,
        picture=post.picture,
        ephemeral=post.ephemeral,
    )
    carded = post.incident_id if post.kind == "card" else None
    binding = session.get(Binding, post.chat_id)
    lost = binding is not None and binding.lost_at is not None
    return Prepared(post.ident, post.wanted, place, shape, post.attempts, post.urgent, carded, lost)


def set_out(desk: Desk, post_id: int) -> bool:
    """A message goes out now, all it takes being at hand: until its outcome is noted, it may stand there or not.

    Returns whether it may stand there already."""
    post = desk.session.get(Post, post_id, with_for_update=True)
    if post is None:
        return False
    again = post.state == "unknown"
    post.doubled += again
    post.state, post.lease = "sending", desk.now + LEASE
    desk.session.add(post)
    return again


def note(desk: Desk, prepared: Prepared, outcome: Outcome) -> None:
    """Record what became of it."""
    if isinstance(outcome, Migrated):
        # By the id it was sent to: the service message may have moved everything in the meantime.
        bindings.moved(desk, prepared.place.chat_id, outcome.chat_id)
        desk.session.expire_all()
    if prepared.carded is not None:
        # The incident first, as every act does: two who take locks in another order wait for each other for ever.
        lock(desk.session, prepared.carded)
    post = desk.session.get(Post, prepared.post_id, with_for_update=True)
    if post is not None:
        _note(desk, post, outcome, prepared.wanted, prepared.shape, prepared.place.chat_id)
    if isinstance(outcome, Shown) and outcome.message_ids:
        if prepared.attempts or prepared.sends:
            # One message gets through: so may what was refused or lost before it.
            hasten(desk.session, prepared.place.chat_id, desk.now)
        _learn(desk, prepared, outcome)


def _learn(desk: Desk, prepared: Prepared, outcome: Shown) -> None:
    """What a message that was taken tells of its chat: that the bot is in it, and what it may not do there."""
    if not prepared.lost and not outcome.without:
        return
    chat_id, thread_id = prepared.place.chat_id, prepared.place.thread_id
    binding = desk.session.get(Binding, chat_id)
    if "thread" in outcome.without and thread_id is not None:
        if binding is not None and binding.thread_id == thread_id:
            bindings.topic_gone(desk, binding)
        chats.forget_thread(desk.session, chat_id, thread_id)
    if binding is not None and "picture" in outcome.without:
        bindings.no_photos(desk, binding)
    if binding is not None and prepared.lost:
        bindings.bot_is_back(desk, binding)


def put_off(desk: Desk, post_id: int) -> None:
    """Something in the program failed over this post: it waits, longer each time, and holds up nobody else."""
    post = desk.session.get(Post, post_id, with_for_update=True)
    if post is not None:
        _try_again(desk, post, "failed", unknown=post.state in ("sending", "unknown"))
        desk.session.add(post)


def _note(desk: Desk, post: Post, outcome: Outcome, wanted: int, shape: Shape, chat_id: int) -> None:
    match outcome:
        case Shown():
            _shown(desk, post, outcome, wanted, shape)
        case Removed():
            # What nobody knows to have arrived cannot be taken away: it may stand there.
            post.doubled += post.state == "unknown"
            forget_messages(desk.session, post.ident)
            post.message_ids, post.form, post.picture, post.digest = [], "", "", ""
            post.state, post.due_at, post.shown, post.lease = "gone", None, wanted, None
            if post.wanted > wanted and post.remove_at is None:
                # Called for again while it was being taken away (an undo): looked at anew.
                post.state, post.due_at = "due", desk.now
        case Wait():
            post.state = _unsent(post)
            post.due_at, post.lease = desk.now + timedelta(seconds=outcome.seconds), None
        case Missing():
            forget_messages(desk.session, post.ident)
            post.message_ids, post.form, post.picture, post.digest = [], "", "", ""
            post.state, post.due_at = "due", desk.now
            hold_lost(desk.session, post)
        case Unknown():
            _try_again(desk, post, outcome.error, unknown=outcome.sent_maybe)
        case Refused():
            _refused(desk, post, outcome)
        case Unfit():
            # Offered again in another way, or left out.
            post.attempts += 1
            post.error, post.lease, post.state = outcome.error[:200], None, _unsent(post)
            post.due_at = desk.now + SOON
        case Migrated():
            if post.chat_id == chat_id:
                # Made for the old id after the move was known: it goes where the chat is now.
                twin = find_post(desk.session, post.subject, outcome.chat_id, post.kind, post.seq)
                post.message_ids, post.form, post.digest = [], "", ""
                post.state, post.due_at = ("due", desk.now) if twin is None else ("gone", None)
                post.chat_id = outcome.chat_id if twin is None else post.chat_id
            if post.state == "sending":
                post.state, post.lease, post.due_at = "due", None, desk.now
    desk.session.add(post)


def _shown(desk: Desk, post: Post, outcome: Shown, wanted: int, shape: Shape) -> None:
    if not outcome.ephemeral and outcome.message_ids and tuple(post.message_ids) != outcome.message_ids:
        new = [each for each in outcome.message_ids if each not in post.message_ids]
        remember_messages(desk.session, post.ident, post.chat_id, new)
    grown = len(outcome.message_ids) > len(post.message_ids)
    post.message_ids, post.form, post.picture = list(outcome.message_ids), outcome.form, outcome.picture
    post.ephemeral, post.digest, post.state = outcome.ephemeral, shape.digest, "shown"
    post.sent_at = post.sent_at or desk.now
    post.shown, post.attempts, post.lease, post.error = wanted, 0, None, ""
    post.due_at = desk.now if post.wanted > wanted else post.remove_at
    pieces = [key for key in outcome.picture.split(",") if key]
    if isinstance(shape, Content) and shape.album and len(pieces) < len(shape.pictures):
        # More than one album holds: the rest follows, unless this time nothing could be fetched.
        post.digest = ""
        post.due_at = desk.now if grown else post.due_at
    if "unfetched" in outcome.without and desk.now - post.sent_at < FOLLOWS_WITHIN:
        post.digest = ""
        post.due_at = min(post.due_at or desk.now + FOLLOWS, desk.now + FOLLOWS)
    if post.kind == "card":
        _delivered(desk, post)


def _delivered(desk: Desk, post: Post) -> None:
    """A card that could not be delivered has arrived after all: the secretary need not care any more."""
    incident = desk.session.get(Incident, post.incident_id) if post.incident_id else None
    if incident is not None and incident.need == "undelivered" and post.seq == incident.cards:
        call_secretary(incident, "")
        desk.session.add(incident)
        post_up(desk, incident)


def _unsent(post: Post) -> str:
    """The state of a post for which nothing was sent this time: what an earlier attempt left unknown stays so."""
    return "unknown" if post.state == "unknown" else "shown" if post.message_ids or post.form else "due"


def _try_again(desk: Desk, post: Post, error: str, unknown: bool) -> None:
    """With growing patience, never for ever: a server that stays away is no reason to forget."""
    post.attempts += 1
    post.error, post.lease = error, None
    # What stands there now may be the one or the other: nothing is taken for shown until it is said again.
    post.digest = ""
    post.state = "unknown" if unknown and post.state == "sending" else _unsent(post)
    post.due_at = desk.now + timedelta(seconds=min(0.25 * 2 ** min(post.attempts, 11), 300))


def _refused(desk: Desk, post: Post, outcome: Refused) -> None:
    """Refused for good. The secretary is told where an incident would otherwise wait unseen."""
    post.attempts += 1
    post.error, post.lease = outcome.error[:200], None
    if not (outcome.chat_lost or outcome.muted) and post.attempts < LAST_TRY:
        post.state = "shown" if post.message_ids else "due"
        post.due_at = desk.now + timedelta(seconds=2**post.attempts)
        return
    # Before its next moment is set: telling the secretary has every message of the incident looked at, this one too.
    _missed(desk, post)
    binding = desk.session.get(Binding, post.chat_id)
    if outcome.muted:
        post.state = _unsent(post)
        post.due_at = desk.now + timedelta(seconds=min(KNOCK * 2 ** min(post.attempts - 1, 11), RARELY))
        if binding is not None:
            bindings.muted(desk, binding)
    else:
        post.state, post.due_at = "broken", None
        if outcome.chat_lost and binding is not None and binding.lost_at is None:
            binding.lost_at = desk.now
            desk.session.add(binding)
            bindings.lost(desk, binding)


def _missed(desk: Desk, post: Post) -> None:
    """A card that cannot be delivered: the incident would wait there unseen."""
    incident = desk.session.get(Incident, post.incident_id) if post.incident_id else None
    if post.kind == "card" and incident is not None and incident.status in OPEN and post.seq == incident.cards:
        call_secretary(incident, "undelivered")
        desk.session.add(incident)
        post_up(desk, incident)


def _shape(desk: Desk, post: Post) -> Shape:
    speech = _speech(desk, post)
    screen = Screen(speech, desk.now, desk.ground.zone)
    if post.incident_id is not None:
        scene = load_scene(desk.session, post.incident_id)
        return CARDS[post.kind](screen, scene, post) if scene is not None else Gone("")
    return NOTICES[post.kind](desk, screen, post)


def _speech(desk: Desk, post: Post) -> Speech:
    """The chat's language, then the person's, then the community's, then the default."""
    binding = desk.session.get(Binding, post.chat_id)
    reader = post.user_id if post.user_id is not None else post.chat_id if post.chat_id > 0 else None
    person = desk.session.get(Person, reader) if reader is not None else None
    if post.user_id is not None and person is not None and person.language:
        # A message for one person alone is in that person's language.
        return desk.speech(person=person)
    hint = str(post.args.get("language", ""))
    if binding is not None and not binding.language:
        incident = desk.session.get(Incident, post.incident_id) if post.incident_id else None
        community_id = incident.community_id if incident else binding.community_id
        hint = hint or _community_language(desk, community_id)
    return desk.speech(binding, person, hint)


def _community_language(desk: Desk, community_id: int) -> str:
    community = desk.session.get(Community, community_id)
    return community.language if community else ""
