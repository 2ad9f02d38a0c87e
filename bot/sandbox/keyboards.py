"""Inline keyboards are where bots most often break a limit that no library checks: 64 bytes of data,
empty labels, a hundred buttons. Each is refused here in Telegram's words."""

from __future__ import annotations

from typing import Any, Final

from bot.sandbox.refusals import bad

MOST_BUTTONS: Final = 100
DATA_BYTES: Final = 64
STYLES: Final = frozenset({"danger", "success", "primary"})
_ACTIONS: Final = frozenset(
    {
        "url",
        "callback_data",
        "web_app",
        "login_url",
        "switch_inline_query",
        "switch_inline_query_current_chat",
        "switch_inline_query_chosen_chat",
        "copy_text",
        "callback_game",
        "pay",
        "disabled",
    }
)
_SCHEMES: Final = ("http://", "https://", "tg://", "mailto:", "tel:")


def inline(markup: dict[str, Any] | None, *, private: bool) -> dict[str, Any] | None:
    """The inline keyboard to keep on a message (None for none or a reply keyboard); raises Refusal."""
    if markup is None:
        return None
    rows: list[list[dict[str, Any]]] | None = markup.get("inline_keyboard")
    if rows is None:
        return None
    kept = []
    count = 0
    for row in rows:
        if not row:
            continue
        buttons = []
        for button in row:
            button = {name: value for name, value in button.items() if value is not None}
            _check(button, private=private)
            buttons.append(button)
        count += len(buttons)
        kept.append(buttons)
    if count > MOST_BUTTONS:
        raise bad("reply markup is too long")
    return {"inline_keyboard": kept} if kept else None


def _check(button: dict[str, Any], *, private: bool) -> None:
    if not button["text"].strip():
        raise bad("BUTTON_TEXT_EMPTY")
    style = button.get("style")
    if style is not None and style not in STYLES:
        raise bad("BUTTON_STYLE_INVALID")
    actions = _ACTIONS & button.keys()
    if not actions:
        raise bad("can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard")
    if len(actions) > 1:
        raise bad("can't parse inline keyboard button: exactly one action is allowed")
    data = button.get("callback_data")
    if data is not None and not 1 <= len(data.encode("utf-8", "surrogatepass")) <= DATA_BYTES:
        raise bad("BUTTON_DATA_INVALID")
    url = button.get("url")
    if url is not None and not url.startswith(_SCHEMES):
        raise bad(f"inline keyboard button URL '{url}' is invalid: Wrong HTTP URL")
    if "web_app" in button and not private:
        raise bad("BUTTON_TYPE_INVALID")
