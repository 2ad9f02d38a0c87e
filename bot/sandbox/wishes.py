"""Reading what a test or the page wishes: each field is looked at once, and what cannot be is answered with
one clear line instead of a traceback."""

from __future__ import annotations

import json
from typing import Any

from bot.sandbox.platform import Platform
from bot.sandbox.refusals import Mistake
from bot.sandbox.world import Chat, Person

Wish = dict[str, Any]


def person_of(platform: Platform, wish: Wish) -> Person:
    """Who acts; raises Mistake (404)."""
    number = integer(wish, "as")
    person = platform.world.people.get(number)
    if person is None:
        raise Mistake(f"there is no person {number}", 404)
    return person


def chat_of(platform: Platform, wish: Wish) -> Chat:
    """In which chat; raises Mistake (404)."""
    number = integer(wish, "chat")
    chat = platform.world.chats.get(number)
    if chat is None:
        raise Mistake(f"there is no chat {number}", 404)
    return chat


def must_be_in(person: Person, chat: Chat) -> None:
    """Only members act in a chat, and nobody in one that has moved; raises Mistake (400)."""
    if person.id not in chat.members:
        raise Mistake(f"{person.first_name} is not a member of {chat.title}")
    if chat.migrated_to is not None:
        raise Mistake(f"{chat.title} has become the supergroup {chat.migrated_to}")


def integer(wish: Wish, name: str) -> int:
    """A whole number that must be there; raises Mistake (400)."""
    try:
        return int(wish[name])
    except KeyError:
        raise Mistake(f'"{name}" is missing') from None
    except (TypeError, ValueError):
        raise Mistake(f'"{name}" is not a whole number') from None


def number(value: Any, name: str) -> float:
    """A number; raises Mistake (400)."""
    try:
        found = float(value)
    except (TypeError, ValueError):
        raise Mistake(f'"{name}" is not a number') from None
    if found != found or found in (float("inf"), float("-inf")):
        raise Mistake(f'"{name}" is not a number')
    return found


def flag(value: Any) -> bool:
    """Yes or no, from JSON or from a form's text."""
    return value.lower() in ("true", "1", "yes", "on") if isinstance(value, str) else bool(value)


def object_of(wish: Wish, name: str) -> Wish:
    """An object, from JSON or from a form's text; raises Mistake (400)."""
    value = wish[name]
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            value = None
    if not isinstance(value, dict):
        raise Mistake(f'"{name}" is not an object')
    return value
