"""What a press means: an act, a menu on the card, a card of its own, another page, a binding."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bot.domain.acts import LATER, Act
from bot.domain.rights import Actor, may, may_choose, roles, scope
from bot.services import acting, binding, looking, releasing
from bot.services.acting import Told
from bot.services.desk import Desk
from bot.services.people import Visitor, actor, chat, remember
from bot.speech import Speech
from bot.views.presses import Press, number, unpack
from storage.chats import known_chat
from storage.posts import bump_post, ephemeral_post, post_of_message
from storage.tables import Binding, Incident, Post

OF_ITS_CARD = ("act", "menu", "more")
"""Kinds of buttons that stand on a card of the incident they name."""
MENUS = frozenset({"", "more", "history", *map(str, Act)})
"""What a card may unfold; empty: nothing."""


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
    post = _post(desk, pressed)
    if post is not None and found.kind in OF_ITS_CARD and post.incident_id != found.incident:
        # What a button says can be forged: this card never had it.
        return Told(speech.tell("This button is out of date."), alert=True)
    return _KINDS[found.kind](desk, _Case(pressed, found, person, here, post, speech))


def _post(desk: Desk, pressed: Pressed) -> Post | None:
    """The post the button stands on."""
    if pressed.ephemeral_id is not None:
        return ephemeral_post(desk.session, pressed.chat_id, pressed.visitor.user_id, pressed.ephemeral_id)
    if pressed.message_id is None:
        return None
    return post_of_message(desk.session, pressed.chat_id, pressed.message_id)


def _act(desk: Desk, case: _Case) -> Told:
    somewhere = (case.pressed.message_id or case.pressed.ephemeral_id) is not None
    if case.post is None and somewhere and not _concerned(desk, case):
        # On a message that is none of ours: whoever guesses numbers does not learn which of them there are.
        return Told(case.speech.tell("This is not yours to do."), alert=True)
    told = acting.act(desk, case.person, case.press.incident, Act(case.press.name), case.press.choice, case.speech)
    _set_menu(desk, case.post, told.menu)
    return told


def _concerned(desk: Desk, case: _Case) -> bool:
    """Whether there is such an incident and the person is anybody to it."""
    incident = desk.session.get(Incident, case.press.incident)
    return incident is not None and bool(roles(case.person, incident.matter))


def _menu(desk: Desk, case: _Case) -> Told:
    incident = desk.session.get(Incident, case.press.incident)
    if incident is None or case.post is None or case.press.name not in MENUS:
        return Told(case.speech.tell("This button is out of date."), alert=True)
    others = case.post.kind == "prompt" and case.post.user_id != case.person.user_id
    if others or not may_choose(case.person, incident.matter):
        return Told(case.speech.tell("This is not yours to do."), alert=True)
    wanted = Act(case.press.name) if case.press.name in set(Act) else None
    if wanted in LATER:
        return Told(case.speech.tell("This button is out of date."), alert=True)
    if wanted is not None:
        refusal = may(case.person, wanted, incident.matter, desk.now)
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
    seen = incident and looking.visible(desk, case.person, case.pressed.chat_id, case.here, incident)
    if incident is None or not seen:
        return Told(case.speech.tell("This is not yours to see."), alert=True)
    if case.post is not None and case.post.kind == "waiting":
        looking.open_held(desk, incident, case.pressed.chat_id)
        bump_post(desk.session, case.post, desk.now)
        return Told()
    asker = case.person.user_id if case.here is not None and case.here.role == "district" else None
    looking.open_sheet(desk, incident, case.pressed.chat_id, case.pressed.thread_id, seen, asker)
    return Told()


def _more(desk: Desk, case: _Case) -> Told:
    incident = desk.session.get(Incident, case.press.incident)
    seen = incident and looking.visible(desk, case.person, case.pressed.chat_id, case.here, incident)
    skip = number(case.press.choice)
    if incident is None or seen not in ("office", "unit"):
        return Told(case.speech.tell("This is not yours to see."), alert=True)
    if case.post is None or skip is None:
        return Told(case.speech.tell("This button is out of date."), alert=True)
    shown = looking.show_pictures(desk, incident, case.pressed.chat_id, case.pressed.thread_id, seen, skip)
    case.post.args = {**case.post.args, "pictures": shown}
    bump_post(desk.session, case.post, desk.now)
    return Told()


def _page(desk: Desk, case: _Case) -> Told:
    page = number(case.press.choice)
    if case.post is None or case.post.incident_id is not None or page is None:
        return Told(case.speech.tell("This button is out of date."), alert=True)
    found = scope(case.person, chat(desk, case.pressed.chat_id, case.here))
    if found is None:
        return Told(case.speech.tell("This is not yours to see."), alert=True)
    # What may be seen is asked anew: the chat or the person may have become something else since.
    case.post.args = {**case.post.args, **found.as_args(), "page": min(page, 10_000)}
    bump_post(desk.session, case.post, desk.now)
    return Told()


def _all(desk: Desk, case: _Case) -> Told:
    if case.post is None or case.post.kind != "quota":
        return Told(case.speech.tell("This button is out of date."), alert=True)
    wanted = Act(case.press.name) if case.press.name in releasing.ALL else None
    told = releasing.order(desk, case.person, case.post, wanted, case.press.choice, case.speech)
    _set_menu(desk, case.post, told.menu)
    return told


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
    "more": _more,
    "all": _all,
    "bind": _bind,
}
