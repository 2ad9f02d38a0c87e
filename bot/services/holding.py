"""Holds back what a chat could not be sent within a minute: those messages wait behind one list that opens into them.

What is urgent is never held. A unit's list names its incidents, so does the office's; the group is told a number only.
"""

from bot.services.desk import Desk
from bot.services.posting import add_notice
from storage.backlog import LISTED, held_posts, hold_beyond, refresh_lists, waiting
from storage.posts import bump_post, find_post, notices_of, return_post
from storage.tables import Binding, Incident, Post

MINUTE = 20
"""Messages a group may get in a minute; more that wait become one list."""


def hold_back(desk: Desk, post: Post) -> bool:
    """Whether the post has to wait behind its chat's list. All that wait are looked at in one go: were it one by one,
    each would change the list, and the list alone would use up the minute."""
    first = post.state == "due" and not post.message_ids
    if post.kind not in LISTED or not first or post.urgent or post.args.get("opened"):
        return False
    if waiting(desk.session, post.chat_id, post.kind) <= MINUTE:
        return False
    hold_beyond(desk.session, post.chat_id, post.kind, MINUTE)
    show_list(desk, post.chat_id, post.kind, post.thread_id)
    desk.session.refresh(post)
    return post.state == "held"


def show_list(desk: Desk, chat_id: int, kind: str, thread_id: int | None) -> None:
    """Have the chat's list of what waits stand there. One for each hour: an old one is far up in the chat by then."""
    key = f"waiting:{chat_id}:{desk.now:%Y%m%d%H}"
    listed = find_post(desk.session, key, chat_id, "waiting")
    if listed is not None and listed.args.get("of") != kind:
        # Bound as something else within the hour.
        listed.args = {**listed.args, "of": kind}
        desk.session.add(listed)
    if listed is None:
        for earlier in notices_of(desk.session, chat_id, "waiting"):
            earlier.args = {**earlier.args, "newest": False}
            bump_post(desk.session, earlier, desk.now)
        # Ahead of the messages that do go out: it says that there are more.
        add_notice(desk, chat_id, "waiting", key, thread_id=thread_id, urgent=True, of=kind)
    elif listed.state == "gone":
        return_post(desk.session, listed.ident, desk.now)
    else:
        refresh_lists(desk.session, chat_id, desk.now)


def remind_by_list(desk: Desk, incident: Incident, home: Binding) -> bool:
    """A unit that has not opened an incident's card is reminded by the list it stands in: one message for all of
    them. False: its card is not held."""
    held = held_posts(desk.session, incident.ident, home.chat_id)
    if not any(post.kind == "card" and post.seq == incident.cards for post in held):
        return False
    show_list(desk, home.chat_id, "card", home.thread_id)
    return True
