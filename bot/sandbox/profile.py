"""What the bot says about itself: command menus for each scope and language, name, descriptions, menu
buttons. Kept so that a test can read back what people would see."""

from __future__ import annotations

import json
import re
from typing import Any, Final

from bot.sandbox.refusals import bad

MOST_COMMANDS: Final = 100
LENGTHS: Final = {"name": 64, "description": 512, "short_description": 120}

_COMMAND: Final = re.compile(r"[a-z0-9_]{1,32}")
_SCOPES: Final = frozenset(
    {
        "default",
        "all_private_chats",
        "all_group_chats",
        "all_chat_administrators",
        "chat",
        "chat_administrators",
        "chat_member",
    }
)


class Profile:
    """Command lists by (scope, language), sentences by (kind, language), menu buttons by chat."""

    def __init__(self) -> None:
        self._commands: dict[tuple[str, str], list[dict[str, Any]]] = {}
        self._sentences: dict[tuple[str, str], str] = {}
        self._buttons: dict[int | None, dict[str, Any]] = {}

    def set_commands(self, asked: dict[str, Any]) -> bool:
        """setMyCommands; raises Refusal (400) for a name or description Telegram would not take."""
        commands = asked["commands"]
        if len(commands) > MOST_COMMANDS:
            raise bad("BOT_COMMANDS_TOO_MUCH")
        for command in commands:
            if not _COMMAND.fullmatch(command["command"]):
                raise bad("BOT_COMMAND_INVALID")
            if not 1 <= len(command["description"].strip()) <= 256:
                raise bad("BOT_COMMAND_DESCRIPTION_INVALID")
        self._commands[self._place(asked)] = commands
        return True

    def commands(self, asked: dict[str, Any]) -> list[dict[str, Any]]:
        """getMyCommands."""
        return self._commands.get(self._place(asked), [])

    def delete_commands(self, asked: dict[str, Any]) -> bool:
        """deleteMyCommands."""
        self._commands.pop(self._place(asked), None)
        return True

    def all_commands(self) -> list[dict[str, Any]]:
        """Every list that is set: ``[{"scope", "language_code", "commands"}]``, for the control API."""
        return [
            {"scope": json.loads(scope), "language_code": language, "commands": commands}
            for (scope, language), commands in self._commands.items()
        ]

    def set_sentence(self, kind: str, asked: dict[str, Any]) -> bool:
        """setMyName, setMyDescription, setMyShortDescription; ``kind`` is the parameter's name."""
        sentence = asked.get(kind, "")
        if len(sentence) > LENGTHS[kind]:
            raise bad(f"{kind} is too long")
        self._sentences[kind, asked.get("language_code", "")] = sentence
        return True

    def sentence(self, kind: str, asked: dict[str, Any], default: str = "") -> dict[str, Any]:
        """getMyName, getMyDescription, getMyShortDescription."""
        language = asked.get("language_code", "")
        text = self._sentences.get((kind, language)) or self._sentences.get((kind, ""))
        return {kind: text or default}

    def set_button(self, asked: dict[str, Any]) -> bool:
        """setChatMenuButton."""
        self._buttons[asked.get("chat_id")] = asked.get("menu_button", {"type": "default"})
        return True

    def button(self, asked: dict[str, Any]) -> dict[str, Any]:
        """getChatMenuButton."""
        return self._buttons.get(asked.get("chat_id")) or self._buttons.get(None, {"type": "default"})

    def _place(self, asked: dict[str, Any]) -> tuple[str, str]:
        scope = asked.get("scope", {"type": "default"})
        if scope["type"] not in _SCOPES:
            raise bad("can't parse BotCommandScope: unsupported type specified")
        return json.dumps(scope, sort_keys=True), asked.get("language_code", "")
