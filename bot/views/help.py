"""What the bot says of itself: /start by role, the checklist when it comes into a group, the menu of /bind."""

from collections.abc import Sequence
from dataclasses import dataclass

from bot.domain.words import N_
from bot.views.content import Button, Content, Menu, Screen
from bot.views.keyboard import pairs
from bot.views.presses import Press, pack

BUTTONS = 98
"""Telegram takes a hundred buttons on a message."""

ROLES = {
    "secretary": N_(
        "You are the secretary of {name}. Reports reach their units by themselves; what needs you comes as a card to "
        "the office chat. /open shows the queue, /find searches, /i SD-2026-0042 opens one, /stats tells the numbers."
    ),
    "unit": N_(
        "You act for {name}. Every incident comes as one card: accept it, say when the place is safe, and reply to the "
        "card with a photo when it is done. Not yours? Say so with one tap."
    ),
    "merchant": N_(
        "Post a photo of what is broken in your district's group, with a few words if you like. You see 👀 when it has "
        "been seen, one line that keeps itself up to date, and 👌 when it is closed. /my lists your reports, "
        "/shop Name, address spares you from sending a location."
    ),
    "operator": N_(
        "You run this relay. Add the bot to a group and use /bind there to say what the group is. "
        "On the server, python -m bot check tells whether all is well."
    ),
}


def start(screen: Screen, roles: Sequence[tuple[str, str]], user_id: str = "") -> Content:
    """What the person can do, role by role; (role, name of the community or unit). The id is for the operator."""
    speech = screen.speech
    head = speech.say(N_("This is alliance-relay: one needle, a thousand threads."))
    known = [speech.say(ROLES[role], name=name) for role, name in roles or [("merchant", "")]]
    if user_id:
        known.append(speech.say(N_("Your Telegram id, for the operator: {id}"), id=user_id))
    return Content("\n\n".join([head, *known]), silent=True)


@dataclass(frozen=True)
class Rights:
    """What the bot may do in a group."""

    admin: bool
    reads_all: bool
    """Privacy mode is off."""


def checklist(screen: Screen, rights: Rights, bound: str) -> Content:
    """One message when the bot has come into a group: what is missing, and /bind."""
    speech = screen.speech
    sees = rights.admin or rights.reads_all
    lines = [
        speech.say(N_("Hello. I turn photos of broken things into incidents and see them through.")),
        ("✅ " if sees else "☐ ")
        + speech.say(
            N_("I can see the photos here.")
            if sees
            else N_("I cannot see photos here yet: make me an administrator (no special right is needed).")
        ),
        ("✅ " if bound else "☐ ")
        + (
            speech.say(N_("This group is {name}."), name=bound)
            if bound
            else speech.say(N_("Say what this group is: the secretary or the operator writes /bind here."))
        ),
    ]
    return Content("\n".join(lines), silent=True)


COMMANDS = {
    "report": N_("report without a photo, or an earlier photo"),
    "my": N_("my reports"),
    "shop": N_("my shop's name and address"),
    "open": N_("what is open"),
    "find": N_("search"),
    "i": N_("one incident by its number"),
    "stats": N_("the numbers of the month"),
    "bind": N_("say what a chat is"),
    "language": N_("中文 / English"),
    "help": N_("how it works"),
}
MENUS = {
    "district": ("report", "my", "shop"),
    "unit": ("open", "find", "i", "stats"),
    "office": ("open", "find", "i", "stats", "bind", "language"),
    "private": ("my", "shop", "open", "find", "stats", "bind", "language", "help"),
}


def menu(screen: Screen, role: str) -> Menu:
    """The commands that make sense in a chat of this role."""
    names = MENUS.get(role, ("bind", "help"))
    return Menu(tuple((name, screen.speech.tell(COMMANDS[name])) for name in names))


def bind_menu(screen: Screen, choices: Sequence[tuple[str, str]], bound: str, username: str = "") -> Content:
    """What can this chat be? (press choice, label) for each. With `username`: links that add the bot to a group."""
    speech = screen.speech
    if not choices:
        return Content(speech.say(N_("There is no community yet. Load an alliance file first: bot apply FILE")))
    text = speech.say(N_("What is this chat?"))
    if bound:
        text = speech.say(N_("This chat is {name} now."), name=bound) + "\n" + text
    if username:
        text = speech.say(N_("Tap what a group is to be, choose the group, and the bot joins it as that."))
        links = (
            Button(label, url=f"https://t.me/{username}?startgroup={choice}") for choice, label in choices[:BUTTONS]
        )
        return Content(text, tuple(pairs(links)), silent=True)
    rows = pairs(Button(label, pack(Press("bind", 0, "", choice))) for choice, label in choices[:BUTTONS])
    return Content(text, tuple(rows), silent=True)


def note(screen: Screen, sentence: str, values: dict[str, str]) -> Content:
    """One sentence."""
    return Content(screen.speech.say(sentence, **values), silent=True)
