"""What a press means: an act, a menu on the card, a card of its own, another page, a binding."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bot.domain.acts import ACTS, Act, Role
from bot.domain.rights import Actor, may, roles
from bot.services import acting, binding, looking
from bot.services.acting import Told
from bot.services.desk import Desk
from bot.services.people import Visitor, actor, matter, remember
from bot.speech import Speech
from bot.views.presses import Press, number, unpack
from storage.chats import known_chat
from storage.posts import bump_post, ephemeral_post, post_of_message
from storage.tables import Binding, Incident, Post


@dataclass(frozen=True)
class Pressed:
    """A press as the door saw it. `message_id` is None where Telegram does not tell."""

    chat_id: int
    message_id: int | None
    ephemeral_id: int | None
    visitor: Visitor
    data: str
    title: str = ""
    thread_id: int | None = None


@dataclass(frozen=True)
class _Case:
    pressed: Pressed
    press: Press
    person: Actor
    here: Binding | None
    post: Post | None
    speech: Speech


def press(desk: Desk, pressed: Pressed) -> Told:
    """Do what the button says, if its presser may; always one line back."""
    here = known_chat(desk.session, pressed.chat_id)
    speech = desk.speech(here, hint=pressed.visitor.language)
    if here is not None and here.lost_at is not None:
        binding.bot_is_back(desk, here)
    found = unpack(pressed.data)
    if found is None:
        return Told(speech.tell("This button is out of date."), alert=True)
    person = actor(desk, pressed.visitor, here)
    remember(desk, pressed.visitor)
    case = _Case(pressed, found, person, here, _post(desk, pressed), speech)
    return _KINDS[found.kind](desk, case)


def _post(desk: Desk, pressed: Pressed) -> Post | None:
    """The post the button stands on."""
    if pressed.ephemeral_id is not None:
        return ephemeral_post(desk.session, pressed.chat_id, pressed.visitor.user_id, pressed.ephemeral_id)
    if pressed.message_id is None:
        return None
    return post_of_message(desk.session, pressed.chat_id, pressed.message_id)


def _act(desk: Desk, case: _Case) -> Told:
    told = acting.act(desk, case.person, case.press.incident, Act(case.press.name), case.press.choice, case.speech)
    _set_menu(desk, case.post, told.menu)
    return told


def _menu(desk: Desk, case: _Case) -> Told:
    incident = desk.session.get(Incident, case.press.incident)
    if incident is None or case.post is None:
        return Told(case.speech.tell("This button is out of date."), alert=True)
    held = roles(case.person, matter(incident)) & {Role.UNIT, Role.SECRETARY, Role.REPORTER}
    if case.post.kind == "prompt" and case.post.user_id != case.person.user_id:
        held = frozenset()
    if not held:
        return Told(case.speech.tell("This is not yours to do."), alert=True)
    wanted = Act(case.press.name) if case.press.name in set(Act) else None
    if wanted is not None and wanted in ACTS:
        refusal = may(case.person, wanted, matter(incident), desk.now)
        if refusal is not None:
            return Told(acting.refused(desk, case.person, incident, refusal, case.speech), alert=True)
    _set_menu(desk, case.post, case.press.name)
    return Told()


def _set_menu(desk: Desk, post: Post | None, menu: str) -> None:
    if post is not None and post.args.get("menu", "") != menu:
        post.args = {**post.args, "menu": menu}
        bump_post(desk.session, post, desk.now)


def _open(desk: Desk, case: _Case) -> Told:
    incident = desk.session.get(Incident, case.press.incident)
    role = looking.visible(desk, case.person, case.here, incident) if incident is not None else ""
    if incident is None or not role:
        return Told(case.speech.tell("This is not yours to see."), alert=True)
    if case.post is not None and case.post.kind == "waiting":
        looking.open_held(desk, incident, case.pressed.chat_id)
        bump_post(desk.session, case.post, desk.now)
        return Told()
    asker = case.person.user_id if case.here is not None and case.here.role == "district" else None
    looking.open_sheet(desk, incident, case.pressed.chat_id, case.pressed.thread_id, role, asker)
    return Told()


def _page(desk: Desk, case: _Case) -> Told:
    page = number(case.press.choice)
    if case.post is None or case.post.incident_id is not None or page is None:
        return Told(case.speech.tell("This button is out of date."), alert=True)
    scope = looking.scope(desk, case.person, case.here)
    if scope is None:
        return Told(case.speech.tell("This is not yours to see."), alert=True)
    # What may be seen is asked anew: the chat or the person may have become something else since.
    case.post.args = {**case.post.args, **scope.as_args(), "page": min(page, 10_000)}
    bump_post(desk.session, case.post, desk.now)
    return Told()


def _bind(desk: Desk, case: _Case) -> Told:
    pressed = case.pressed
    if pressed.chat_id > 0:
        return Told(case.speech.tell("This button is out of date."), alert=True)
    told = binding.bind(
        desk, case.person, pressed.chat_id, pressed.thread_id, pressed.title, case.press.choice, case.speech
    )
    if case.post is not None:
        bump_post(desk.session, case.post, desk.now)
    return told


_KINDS: Mapping[str, Callable[[Desk, _Case], Told]] = {
    "act": _act,
    "menu": _menu,
    "open": _open,
    "page": _page,
    "bind": _bind,
}
