"""Values of the Bot API's types, drawn from the published schema: `anything("Poll")` draws a Poll.

The schema says names, types and what must be there. Two things it leaves out are added: the word that tells one
variant of a type from the others (aiogram's types know it), and which whole numbers are moments.
"""

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, get_args, get_origin

from aiogram import types
from hypothesis import strategies as st

from bot.sandbox import server
from tests.fuzz.naughty import EVERY

DEFS: dict[str, Any] = json.loads(Path(server.__file__).with_name("botapi.jsonschema.json").read_text("utf-8"))["$defs"]

NOW = 1_795_000_000
"""A moment in November 2026, in seconds: when the mill's clock starts."""
DEEP = 3
"""Levels of optional objects inside each other; below that only what must be there is drawn."""
MOST = 3
"""Optional fields of one object."""

Draw = Callable[[st.SearchStrategy[Any]], Any]

LONE = st.characters(min_codepoint=0xD800, max_codepoint=0xDFFF, categories=["Cs"])
short_text = st.one_of(
    st.sampled_from(["", "a", "张记面馆", "water", "坏了", "zh", "private", "supergroup", "-1"]),
    st.sampled_from(EVERY),
    st.text(st.one_of(st.characters(), LONE), max_size=12),
)
integers = st.one_of(
    st.integers(0, 9),
    st.sampled_from([-1, 2**31 - 1, 2**31, -(2**31), 2**52 - 1, 2**53 - 1, -(2**52), -(2**53) + 1]),
    st.integers(-(2**53) + 1, 2**53 - 1),
)
moments = st.one_of(st.integers(NOW - 100_000, NOW + 100), st.sampled_from([0, 1, 2**31 - 1]))
numbers = st.floats(allow_nan=False, allow_infinity=False, width=32)


@cache
def words_apart(name: str) -> dict[str, Any]:
    """The fields of the type that hold one fixed word: `{"status": "kicked"}` of ChatMemberBanned."""
    model = getattr(types, name, None)
    found = {}
    for field, info in (model.model_fields if model is not None else {}).items():
        if get_origin(info.annotation) is not None and "Literal" in str(get_origin(info.annotation)):
            word = get_args(info.annotation)[0]
            found[info.alias or field] = getattr(word, "value", word)
    return found


def value(draw: Draw, shape: dict[str, Any], field: str, depth: int) -> Any:
    """One value of that shape. `field` is the name it will stand under."""
    if "$ref" in shape:
        return anything(draw, shape["$ref"].rsplit("/", 1)[1], depth)
    if "const" in shape:
        return shape["const"]
    if "anyOf" in shape:
        return value(draw, draw(st.sampled_from(shape["anyOf"])), field, depth)
    match shape.get("type"):
        case "integer":
            moment = field == "date" or field.endswith(("_date", "_time", "_timestamp"))
            return draw(moments if moment else integers)
        case "number":
            return draw(numbers)
        case "boolean":
            return draw(st.booleans())
        case "array":
            size = draw(st.integers(0, 2))
            return [value(draw, shape["items"], field, depth + 1) for _ in range(size)]
        case "string":
            return draw(short_text)
    return {}


def anything(draw: Draw, name: str, depth: int = 0) -> Any:
    """One value of the schema's type `name`."""
    shape = DEFS[name]
    if "anyOf" in shape:
        return value(draw, draw(st.sampled_from(_affordable(shape["anyOf"], depth))), "", depth)
    if "properties" not in shape:
        return {}
    needed = shape.get("required", [])
    optional = [field for field in shape["properties"] if field not in needed] if depth < DEEP else []
    more = draw(st.lists(st.sampled_from(optional), max_size=MOST, unique=True)) if optional else []
    made = {field: value(draw, shape["properties"][field], field, depth + 1) for field in (*needed, *more)}
    return made | words_apart(name)


def _affordable(variants: list[dict[str, Any]], depth: int) -> list[dict[str, Any]]:
    """Deep down, the variants that hold no variants themselves: or rich texts would never end."""
    if depth < DEEP:
        return variants
    plain = [each for each in variants if "$ref" not in each or _plain(each["$ref"].rsplit("/", 1)[1])]
    return plain or variants[:1]


@cache
def _plain(name: str) -> bool:
    shape = DEFS[name]
    fields = (shape["properties"][field] for field in shape.get("required", ())) if "properties" in shape else ()
    return "anyOf" not in shape and not any("$ref" in str(field) for field in fields)
