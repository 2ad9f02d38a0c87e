"""The reactions Telegram lets a bot set. The list is closed: a tick or an hourglass is refused, and a bot
that never tried would find out in front of people. Source: Bot API, ReactionTypeEmoji."""

from __future__ import annotations

from typing import Any, Final

from bot.sandbox.refusals import bad

_LIST: Final = """
❤ 👍 👎 🔥 🥰 👏 😁 🤔 🤯 😱 🤬 😢 🎉 🤩 🤮 💩 🙏 👌 🕊 🤡 🥱 🥴 😍 🐳 ❤\u200d🔥 🌚 🌭 💯 🤣 ⚡
🍌 🏆 💔 🤨 😐 🍓 🍾 💋 🖕 😈 😴 😭 🤓 👻 👨\u200d💻 👀 🎃 🙈 😇 😨 🤝 ✍ 🤗 🫡 🎅 🎄 ☃ 💅 🤪 🗿
🆒 💘 🙉 🦄 😘 💊 🙊 😎 👾 🤷\u200d♂ 🤷 🤷\u200d♀ 😡
"""
ALLOWED: Final = frozenset(_LIST.split())


def chosen(reaction: list[dict[str, Any]] | None) -> list[str]:
    """The emoji of a bot's reaction: none or one; raises Refusal (400)."""
    if not reaction:
        return []
    if len(reaction) > 1:
        raise bad("REACTIONS_TOO_MANY")
    emoji = str(reaction[0].get("emoji", "")).replace("\ufe0f", "")
    if reaction[0]["type"] != "emoji" or emoji not in ALLOWED:
        raise bad("REACTION_INVALID")
    return [emoji]
