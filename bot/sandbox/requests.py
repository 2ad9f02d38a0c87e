"""Reading a request's body: JSON, a form, or a form with files, whichever way a client chose to send it."""

from __future__ import annotations

import json
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from aiohttp import web
from aiohttp.multipart import BodyPartReader

from bot.sandbox.refusals import Mistake, bad
from bot.sandbox.uploads import ATTACHED, Upload

BODY_LIMIT: Final = 64 * 1024 * 1024

Form = tuple[dict[str, Any], list[tuple[str, Upload]]]


async def read(request: web.BaseRequest) -> Form:
    """All fields, those of the query included, and all files by field name; raises Refusal (400)."""
    fields: dict[str, Any] = query(request)
    kind = request.headers.get("Content-Type", "")
    if kind.startswith("multipart/"):
        return await _multipart(request, fields)
    if not request.can_read_body:
        return fields, []
    body = await request.read()
    if kind.startswith("application/json"):
        fields.update(_object(body))
    elif body:
        try:
            fields.update(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=200))
        except ValueError:
            raise bad("can't parse the form") from None
    return fields, []


async def read_object(request: web.BaseRequest) -> dict[str, Any]:
    """The JSON object of a control request, empty when there is no body; raises Mistake (400)."""
    body = await request.read() if request.can_read_body else b""
    if not body:
        return {}
    try:
        found = json.loads(body)
    except ValueError:
        raise Mistake("the body is not JSON") from None
    if not isinstance(found, dict):
        raise Mistake("the body is not a JSON object")
    return found


def query(request: web.BaseRequest) -> dict[str, Any]:
    """The fields after the question mark."""
    if "?" not in request.raw_path:
        return {}
    return dict(parse_qsl(urlsplit(request.raw_path).query, keep_blank_values=True))


def _object(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body) if body else {}
    except (ValueError, RecursionError):
        raise bad("can't parse JSON object") from None
    if type(found) is not dict:
        raise bad("can't parse JSON object: an object is expected")
    return found


async def _multipart(request: web.BaseRequest, fields: dict[str, Any]) -> Form:
    files: list[tuple[str, Upload]] = []
    try:
        reader = await request.multipart()
        while (part := await reader.next()) is not None:
            if not isinstance(part, BodyPartReader):
                raise bad("can't parse the form: nested multipart")
            name = part.name or ""
            content = bytes(await part.read(decode=False))
            if part.filename is None:
                fields[name] = content.decode()
            else:
                # A file in a parameter's own field is the same as attach:// to it.
                fields.setdefault(name, ATTACHED + name)
                mime_type = part.headers.get("Content-Type")
                plain = mime_type in (None, "application/octet-stream")
                files.append((name, Upload(content, part.filename, None if plain else mime_type)))
    except (ValueError, AssertionError):
        raise bad("can't parse the form") from None
    return fields, files
