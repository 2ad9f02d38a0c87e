"""What a reply to a photo, a card or a line means: the after-photo that resolves, or a word for the history."""

from bot.domain.acts import WITH_UNIT, Act, Role, Status
from bot.domain.rights import Actor, Refusal, may, roles
from bot.services.desk import Desk
from bot.services.effects import Step, call_secretary
from bot.services.incoming import Incoming
from bot.services.intake import join, make_part, note_place
from bot.services.lifecycle import carry_out
from bot.services.people import remember
from bot.services.posting import post_up, show_seen
from storage.incidents import by_number, lock, part_of_album, part_of_message
from storage.posts import post_of_message
from storage.tables import Incident


def target(desk: Desk, incoming: Incoming) -> Incident | None:
    """The incident that the message answers, by the message it replies to or the album it belongs to."""
    session, incident_id = desk.session, None
    if incoming.reply_to is not None:
        part = part_of_message(session, incoming.chat_id, incoming.reply_to)
        post = None if part else post_of_message(session, incoming.chat_id, incoming.reply_to)
        incident_id = part.incident_id if part else post.incident_id if post else None
        if part is None and post is None and incoming.reply_number:
            named = by_number(session, incoming.reply_number)
            incident_id = named.id if named else None
    if incident_id is None and incoming.media_group_id:
        # Only proof comes as an album of which just the first piece is a reply; the report's own pieces join it.
        sibling = part_of_album(session, incoming.chat_id, incoming.media_group_id)
        incident_id = sibling.incident_id if sibling and sibling.role != "report" else None
    return lock(session, incident_id) if incident_id is not None else None


def reply(desk: Desk, actor: Actor, incident: Incident, incoming: Incoming) -> bool:
    """Take a reply in. False when it is none of this person's business, or was taken in before."""
    if part_of_message(desk.session, incoming.chat_id, incoming.message_id) is not None:
        return False
    proof = may(actor, Act.RESOLVE, incident.matter, desk.now)
    if incoming.media and proof is not Refusal.NOT_YOURS:
        return _after_photo(desk, actor, incident, incoming, proof is None)
    if may(actor, Act.COMMENT, incident.matter, desk.now) is not None:
        return False
    own = incoming.visitor.user_id == incident.author_id and incoming.chat_id == incident.chat_id
    if own and incident.status == Status.DRAFT:
        join(desk, incident, incoming)
        return True
    held = roles(actor, incident.matter)
    role = next(role for role in (Role.UNIT, Role.SECRETARY, Role.REPORTER, Role.MERCHANT, Role.STREET) if role in held)
    remember(desk, incoming.visitor)
    if incident.latitude is None or role in (Role.REPORTER, Role.SECRETARY):
        note_place(incident, incoming)
    desk.session.add(make_part(desk, incident, incoming, "remark"))
    # A remark says words, shows a picture or names a place; the history tells which.
    note = "place" if incoming.place is not None else ""
    carry_out(desk, incident, Step(Act.COMMENT, actor, role, reason=note, what=incoming.text))
    if role in (Role.UNIT, Role.REPORTER):
        # Words said to the bot are seen, and show it.
        show_seen(desk, incident, incoming.chat_id, incoming.message_id)
    if role is Role.UNIT and not incident.need and incident.status in WITH_UNIT:
        # What a unit writes is for the secretary, who has no card of it just now.
        call_secretary(incident, "note")
        desk.session.add(incident)
        post_up(desk, incident)
    return True


def _after_photo(desk: Desk, actor: Actor, incident: Incident, incoming: Incoming, resolves: bool) -> bool:
    """A picture of the unit's own work: it resolves; a second one (an album) only joins the first."""
    remember(desk, incoming.visitor)
    role = "after" if resolves or incident.status == Status.RESOLVED else "remark"
    desk.session.add(make_part(desk, incident, incoming, role))
    if resolves:
        carry_out(desk, incident, Step(Act.RESOLVE, actor, Role.UNIT, what=incoming.text))
    else:
        post_up(desk, incident)
    return True
