"""Catches what people post in a district's group and makes incidents of it: one matter, one incident.

The key is the incident, never the sender. What turns out to be no report leaves nothing behind.
"""

from datetime import timedelta

from bot.domain.acts import ENDED, Act, Role, Status
from bot.domain.recognising import recognise
from bot.services.desk import Desk
from bot.services.drafting import consider, gather_on
from bot.services.incoming import Incoming
from bot.services.people import remember
from bot.services.posting import AT_ONCE, post_up, show_seen
from bot.views.content import SHOWN
from storage.events import last_by
from storage.incidents import gathering, lock, part_of_album, part_of_message, pictures_up_to
from storage.tables import Binding, Community, Event, Incident, Part, Shop

MANY = SHOWN + 1
SOON = timedelta(seconds=20)
"""How long a card may say less than was posted, once a report has more pictures than a card shows: else each of a
thousand photos would be a change of its own, and there are twenty a minute."""


def take_picture(desk: Desk, binding: Binding, incoming: Incoming, words_before: str = "") -> Incident | None:
    """A picture in a district's group joins what it belongs to, else opens a draft.

    `words_before` is what the author wrote within the gathering time before. None: the message is known already.
    """
    if part_of_message(desk.session, incoming.chat_id, incoming.message_id) is not None:
        return None
    found = _belongs_to(desk, incoming)
    if found is not None:
        join(desk, found, incoming)
        return found
    return open_draft(desk, binding, incoming, words_before)


def take_words(desk: Desk, incoming: Incoming) -> Incident | None:
    """Words or a place of an author whose pictures still gather belong to them. None: they belong to nothing."""
    found = _gathers(desk, incoming)
    if found is None:
        return None
    # Once the author was asked, only words that answer count: the rest is conversation.
    if found.prompted and incoming.place is None and recognise(incoming.text).sure is None:
        return None
    join(desk, found, incoming)
    return found


def report(
    desk: Desk, binding: Binding, incoming: Incoming, earlier: Incoming | None, words: str
) -> tuple[Incident, bool]:
    """`/report`: of an earlier picture it answers, or of words alone. Returns the incident and whether it is new."""
    source = earlier or incoming
    known = part_of_message(desk.session, source.chat_id, source.message_id)
    sibling = part_of_album(desk.session, source.chat_id, source.media_group_id) if source.media_group_id else None
    if known is None and sibling is not None:
        # A later piece of an album that is an incident already, whatever was known of it so far.
        incident = desk.session.get_one(Incident, sibling.incident_id)
        incident.explicit = True
        join(desk, incident, source)
        return incident, True
    if known is not None:
        incident = desk.session.get_one(Incident, known.incident_id)
        if incident.number is not None:
            return incident, False
        if incident.status == Status.DRAFT:
            _insist(desk, incident, incoming, words)
            return incident, True
        desk.session.delete(known)
        desk.session.flush()
    opened = open_draft(desk, binding, source, words, explicit=True, reporter=incoming)
    return opened, True


def _insist(desk: Desk, incident: Incident, incoming: Incoming, words: str) -> None:
    """Somebody says that a draft is a report, and perhaps what it is."""
    incident.explicit = True
    if words:
        said = make_part(desk, incident, incoming)
        said.text, said.media, said.file_id = words, "", ""
        desk.session.add(said)
    desk.session.add(incident)
    consider(desk, incident, desk.session.get_one(Community, incident.community_id))


def edit(desk: Desk, incoming: Incoming) -> Incident | None:
    """Changed words of a message that belongs to an incident. None: it belongs to none, or nothing changed."""
    part = part_of_message(desk.session, incoming.chat_id, incoming.message_id)
    text = _without_command(incoming.text)
    if part is None or part.text == text:
        return None
    part.text = text
    desk.session.add(part)
    incident = lock(desk.session, part.incident_id)
    if incident is None:
        return None
    if part.role == "remark":
        # The card shows the newest words; what stood there before stays in the history.
        said = last_by(desk.session, incident.ident, incoming.visitor.user_id, str(Act.COMMENT))
        note(desk, incident, incoming, str(Act.COMMENT), Role(said.role) if said else Role.MERCHANT, text)
    else:
        note(desk, incident, incoming, "edited")
    if incident.status == Status.DRAFT:
        consider(desk, incident, desk.session.get_one(Community, incident.community_id))
    else:
        post_up(desk, incident)
    return incident


def _without_command(text: str) -> str:
    """`/report words` says `words`."""
    command, _, words = text.partition(" ")
    return words.strip() if command.startswith("/") else text


def open_draft(
    desk: Desk,
    binding: Binding,
    incoming: Incoming,
    words_before: str = "",
    explicit: bool = False,
    reporter: Incoming | None = None,
) -> Incident:
    """A new draft of one message; it is filed at once when its words are clear."""
    community = desk.session.get_one(Community, binding.community_id)
    visitor = (reporter or incoming).visitor
    remember(desk, visitor)
    incident = Incident(
        community_id=binding.community_id,
        district_id=binding.district_id,
        chat_id=incoming.chat_id,
        thread_id=incoming.thread_id,
        message_id=incoming.message_id,
        author_id=visitor.user_id,
        reporter_id=None if visitor.hidden else visitor.user_id,
        created_at=desk.now,
        gather_until=incoming.sent_at + timedelta(seconds=community.gather),
        reminded_at=desk.now,
        explicit=explicit,
    )
    note_place(incident, incoming)
    shop = desk.session.get(Shop, (community.ident, visitor.user_id))
    if shop is not None:
        incident.shop, incident.address = shop.name, shop.address
    desk.session.add(incident)
    desk.session.flush()
    part = make_part(desk, incident, incoming)
    part.text = "\n".join(filter(None, (words_before, part.text)))
    desk.session.add(part)
    note(desk, incident, reporter or incoming, "caught")
    consider(desk, incident, community, words=part.text, fresh=True)
    return incident


def join(desk: Desk, incident: Incident, incoming: Incoming) -> None:
    """Add a message of the author's to what the report says and shows."""
    if Status(incident.status) in ENDED:
        # A late piece of an album whose author has said "not a report": nothing of it is kept.
        return
    community = desk.session.get_one(Community, incident.community_id)
    album = incoming.media_group_id and part_of_album(desk.session, incoming.chat_id, incoming.media_group_id)
    desk.session.add(make_part(desk, incident, incoming))
    incident.gather_until = max(incident.gather_until, incoming.sent_at + timedelta(seconds=community.gather))
    note_place(incident, incoming)
    desk.session.add(incident)
    if incoming.media and incoming.message_id != incident.message_id and not album and _seen(incident, community):
        # Each picture taken in shows that it was; an album shows it on its first piece.
        show_seen(desk, incident, incoming.chat_id, incoming.message_id)
    if incident.status == Status.DRAFT and incoming.text:
        consider(desk, incident, community)
    elif incident.status == Status.DRAFT:
        gather_on(desk, incident, community)
    else:
        many = pictures_up_to(desk.session, incident.ident, MANY) == MANY
        post_up(desk, incident, within=SOON if many else AT_ONCE)


def _seen(incident: Incident, community: Community) -> bool:
    """Whether people are shown that it was caught: in keyword mode a draft may still turn out to be chatter."""
    return incident.status != Status.DRAFT or community.intake != "keyword" or incident.explicit


def note(
    desk: Desk, incident: Incident, incoming: Incoming, act: str, role: Role = Role.REPORTER, what: str = ""
) -> None:
    """An entry in the history that changes nothing by itself: caught, edited, a remark put in other words."""
    desk.session.add(
        Event(
            incident_id=incident.ident,
            community_id=incident.community_id,
            at=desk.now,
            act=act,
            actor_id=incoming.visitor.user_id,
            actor=incoming.visitor.name,
            role=str(role),
            before=incident.status,
            after=incident.status,
            what=what,
            source=desk.source,
        )
    )


def _belongs_to(desk: Desk, incoming: Incoming) -> Incident | None:
    if incoming.media_group_id:
        sibling = part_of_album(desk.session, incoming.chat_id, incoming.media_group_id)
        if sibling is not None:
            return lock(desk.session, sibling.incident_id)
    found = _gathers(desk, incoming)
    return None if found is None or found.prompted else found


def _gathers(desk: Desk, incoming: Incoming) -> Incident | None:
    """The author's incident that what was sent may still join, and nobody else changes."""
    found = gathering(desk.session, incoming.chat_id, incoming.visitor.user_id, incoming.sent_at)
    if found is not None:
        # Looked at again once it is held: it may have been ended in this very moment, and then nothing joins it.
        found = lock(desk.session, found.ident)
    if found is None or Status(found.status) in ENDED or not _same_matter(found, incoming.text):
        return None
    return found


def _same_matter(incident: Incident, text: str) -> bool:
    """Words that clearly name another category than the one already known speak of a second matter."""
    named = recognise(text).sure if text else None
    return named is None or not incident.category or named == incident.category


def note_place(incident: Incident, incoming: Incoming) -> None:
    """A place that the message names, if any, is where the incident is."""
    if incoming.place is not None:
        incident.latitude, incident.longitude = incoming.place.latitude, incoming.place.longitude
        incident.place = incoming.place.name or incident.place


def make_part(desk: Desk, incident: Incident, incoming: Incoming, role: str = "report") -> Part:
    """The row that ties one Telegram message to the incident."""
    return Part(
        incident_id=incident.ident,
        chat_id=incoming.chat_id,
        message_id=incoming.message_id,
        user_id=incoming.visitor.user_id,
        role=role,
        media_group_id=incoming.media_group_id,
        file_id=incoming.file_id,
        file_unique_id=incoming.file_unique_id,
        media=incoming.media,
        text=incoming.text,
        at=desk.now,
    )
