"""What a message in a chat means there: a reply to something, a report, words of one, or nothing at all."""

from datetime import timedelta

from bot.domain.words import N_
from bot.services import replying
from bot.services.binding import bot_is_back
from bot.services.desk import Desk
from bot.services.incoming import Incoming
from bot.services.intake import edit, take_picture, take_words
from bot.services.people import actor
from bot.services.posting import add_notice
from storage.chats import known_chat
from storage.incidents import gathering, part_of_album, part_of_message
from storage.posts import post_of_message
from storage.tables import Binding, Community


def concerns(desk: Desk, incoming: Incoming) -> bool:
    """Whether words or a place belong to anything, told by reading only: chatter costs no write."""
    session = desk.session
    if known_chat(session, incoming.chat_id) is None:
        return False
    if incoming.reply_to is not None and (
        incoming.reply_number
        or part_of_message(session, incoming.chat_id, incoming.reply_to)
        or post_of_message(session, incoming.chat_id, incoming.reply_to)
    ):
        return True
    return gathering(session, incoming.chat_id, incoming.visitor.user_id, incoming.sent_at) is not None


def is_part(desk: Desk, incoming: Incoming) -> bool:
    """Whether the message belongs to an incident."""
    return part_of_message(desk.session, incoming.chat_id, incoming.message_id) is not None


def concerns_picture(desk: Desk, incoming: Incoming) -> bool:
    """Whether a picture belongs to anything: in a district's group each one may."""
    binding = known_chat(desk.session, incoming.chat_id)
    if binding is None:
        return False
    if binding.role == "district" or incoming.reply_to is not None:
        return True
    album = incoming.media_group_id
    return bool(album and part_of_album(desk.session, incoming.chat_id, album))


def receive_picture(desk: Desk, incoming: Incoming, said: Incoming | None) -> None:
    """A picture. `said`: what the author wrote last, if it belonged to nothing then."""
    binding = _heard_from(desk, incoming.chat_id)
    if binding is None or _replied(desk, binding, incoming):
        return
    if binding.role == "district":
        community = desk.session.get_one(Community, binding.community_id)
        before = said is not None and incoming.sent_at - said.sent_at <= timedelta(seconds=community.gather)
        take_picture(desk, binding, incoming, said.text if said is not None and before else "")


def receive_words(desk: Desk, incoming: Incoming) -> None:
    """Words or a place."""
    binding = _heard_from(desk, incoming.chat_id)
    if binding is None or _replied(desk, binding, incoming):
        return
    if binding.role == "district":
        take_words(desk, incoming)


def receive_edit(desk: Desk, incoming: Incoming) -> None:
    """Words or a caption were changed."""
    edit(desk, incoming)


def receive_private_picture(desk: Desk, incoming: Incoming, key: str) -> None:
    """A picture sent to the bot alone: say where it belongs, so that it is not lost in silence."""
    add_notice(
        desk,
        incoming.chat_id,
        "note",
        key,
        reply_to=incoming.message_id,
        remove_after=timedelta(hours=1),
        language=incoming.visitor.language,
        sentence=N_("Please post it in your district's group: there it becomes a report."),
    )


def _heard_from(desk: Desk, chat_id: int) -> Binding | None:
    """What the chat is. Whatever a refusal said once: who hears from a chat is in it."""
    binding = known_chat(desk.session, chat_id)
    if binding is not None and binding.lost_at is not None:
        bot_is_back(desk, binding)
    return binding


def _replied(desk: Desk, binding: Binding, incoming: Incoming) -> bool:
    incident = replying.target(desk, incoming)
    return incident is not None and replying.reply(desk, actor(desk, incoming.visitor, binding), incident, incoming)
