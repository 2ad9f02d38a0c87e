"""Which rows each message that is about no incident needs: lists, the checklist, the menus, a sentence."""

from collections.abc import Callable, Mapping

from bot.services import binding as bindings
from bot.services import counting, looking, quota
from bot.services.desk import Desk
from bot.views import help as helping
from bot.views import lists
from bot.views.content import Content, Gone, Screen, Shape
from storage.quotas import filed_between
from storage.tables import Binding, Community, Post


def _queue(desk: Desk, screen: Screen, post: Post) -> Content:
    found, total, page = looking.queue_lines(desk, post.args)
    return lists.queue(screen, found, total, page)


def _waiting(desk: Desk, screen: Screen, post: Post) -> Shape:
    kind = str(post.args.get("of", "card"))
    held, total, page = looking.held_lines(desk, post.chat_id, kind, int(post.args.get("page", 0)))
    if not held or not post.args.get("newest", True):
        return Gone("·")
    return lists.waiting(screen, held, total, page, kind)


def _quota(desk: Desk, screen: Screen, post: Post) -> Shape:
    flood = quota.Flood.of(post)
    page = int(post.args.get("page", 0))
    found, total, page = looking.waiting_lines(desk, flood, page)
    if not found or not post.args.get("newest", True):
        return Gone("·")
    count = filed_between(desk.session, flood.community_id, flood.author_id, flood.since, flood.since + quota.HOUR)
    beyond = desk.session.get_one(Community, flood.community_id).quota
    reported = lists.Reported(quota.who(desk, flood), count, beyond)
    return lists.beyond(screen, reported, found, total, page, str(post.args.get("menu", "")))


def _start(desk: Desk, screen: Screen, post: Post) -> Content:
    return helping.start(
        screen, [(str(role), str(name)) for role, name in post.args.get("roles", [])], str(post.args.get("user", ""))
    )


def _checklist(desk: Desk, screen: Screen, post: Post) -> Content:
    rights = helping.Rights(bool(post.args.get("admin")), bool(post.args.get("reads_all")))
    return helping.checklist(screen, rights, bindings.bound_name(desk, desk.session.get(Binding, post.chat_id)))


def _bind_menu(desk: Desk, screen: Screen, post: Post) -> Content:
    bound = bindings.bound_name(desk, desk.session.get(Binding, post.chat_id))
    username = desk.ground.bot_username if post.chat_id > 0 else ""
    return helping.bind_menu(screen, bindings.choices(desk, post.args.get("asker")), bound, username)


def _menu(desk: Desk, screen: Screen, post: Post) -> Shape:
    binding = desk.session.get(Binding, post.chat_id)
    return helping.menu(screen, binding.role if binding else "")


def _note_text(desk: Desk, screen: Screen, post: Post) -> Content:
    return helping.note(screen, str(post.args["sentence"]), dict(post.args.get("values", {})))


NOTICES: Mapping[str, Callable[[Desk, Screen, Post], Shape]] = {
    "queue": _queue,
    "found": lambda desk, screen, post: lists.found(
        screen, looking.found_lines(desk, post.args), str(post.args.get("text", ""))
    ),
    "mine": lambda desk, screen, post: lists.mine(screen, looking.own_lines(desk, int(post.args["user"]))),
    "stats": lambda desk, screen, post: lists.numbers(screen, counting.month_numbers(desk, post.args)),
    "waiting": _waiting,
    "quota": _quota,
    "start": _start,
    "checklist": _checklist,
    "bind": _bind_menu,
    "note": _note_text,
    "menu": _menu,
}
