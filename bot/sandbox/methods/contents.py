"""What a message holds, made from a request: text or caption with entities, a picture, a keyboard. Sending
and editing make the same contents, so that both refuse the same things."""

from __future__ import annotations

from typing import Any

from bot.sandbox import keyboards, texts, uploads
from bot.sandbox.platform import Platform
from bot.sandbox.refusals import bad
from bot.sandbox.uploads import Uploads
from bot.sandbox.world import Chat

Content = dict[str, Any]

CONTENT_FIELDS = (
    "text",
    "entities",
    "link_preview_options",
    "caption",
    "caption_entities",
    "show_caption_above_media",
    "has_media_spoiler",
    "photo",
    "document",
    "live_photo",
    "reply_markup",
)
"""The fields of a message that an edit may replace."""


def text_content(params: dict[str, Any]) -> Content:
    """text, entities and link_preview_options; raises Refusal (400) for an empty or too long text."""
    text, entities = texts.prepared(
        params.get("text", ""),
        params.get("parse_mode"),
        params.get("entities"),
        limit=texts.TEXT_LIMIT,
        what="message",
    )
    if not text:
        raise bad("message text is empty")
    content: Content = {"text": text}
    if entities:
        content["entities"] = entities
    if params.get("link_preview_options"):
        content["link_preview_options"] = params["link_preview_options"]
    return content


def caption_content(given: dict[str, Any]) -> Content:
    """caption and caption_entities, from a request or from one of its media; raises Refusal (400)."""
    content: Content = {}
    if given.get("caption"):
        caption, entities = texts.prepared(
            given["caption"],
            given.get("parse_mode"),
            given.get("caption_entities"),
            limit=texts.CAPTION_LIMIT,
            what="caption",
        )
        if caption:
            content["caption"] = caption
            if entities:
                content["caption_entities"] = entities
    if given.get("show_caption_above_media"):
        content["show_caption_above_media"] = True
    if given.get("has_spoiler"):
        content["has_media_spoiler"] = True
    return content


def media_content(platform: Platform, item: dict[str, Any], attached: Uploads) -> Content:
    """One InputMedia with its caption; raises Refusal (400)."""
    kind = item["type"]
    if kind == "photo":
        content: Content = {"photo": uploads.photo(platform.files, attached, item["media"])}
    elif kind == "document":
        content = {"document": uploads.document(platform.files, attached, item["media"])}
    elif kind == "live_photo":
        live = uploads.live_photo(platform.files, attached, item["media"], item["photo"])
        content = {"live_photo": live, "photo": live["photo"]}
    else:
        raise bad(f"the sandbox does not emulate media of type {kind}")
    return content | caption_content(item)


def keyboard_content(params: dict[str, Any], chat: Chat) -> Content:
    """reply_markup, where it is an inline keyboard; raises Refusal (400)."""
    markup = keyboards.inline(params.get("reply_markup"), private=chat.private)
    return {"reply_markup": markup} if markup else {}
