"""Requests are held against the published schema, quickly: the schema is compiled once into small
functions, because validating each call with a JSON-Schema library would cost more than the call itself.
Real Telegram ignores unknown parameters; the sandbox refuses them so that a slip of the pen shows."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from bot.sandbox.refusals import Refusal, bad

SCHEMA_FILE: Final = Path(__file__).with_name("botapi.jsonschema.json")

Check = Callable[[Any], str | None]
"""Says in a few words what is wrong with a value, or None."""
Reading = Callable[[str], Any]
"""Turns the text of a form field into the value it stands for; raises ValueError."""

_TRUE: Final = frozenset({"true", "True", "1", "yes"})
_FALSE: Final = frozenset({"false", "False", "0", "no", ""})


class Method:
    """One method of the Bot API: its name as written in the documentation and its parameters."""

    __slots__ = ("checks", "name", "readings", "required")

    def __init__(self, name: str, schema: dict[str, Any], shapes: Shapes) -> None:
        self.name = name
        self.required: tuple[str, ...] = tuple(schema["required"])
        self.checks: dict[str, Check] = {}
        self.readings: dict[str, Reading | None] = {}
        for parameter, shape in schema["properties"].items():
            self.checks[parameter] = shapes.check(shape)
            self.readings[parameter] = shapes.reading(shape)

    def parameters(self, given: dict[str, Any]) -> dict[str, Any]:
        """The given parameters with their true types; raises Refusal (400) for any that do not fit."""
        taken: dict[str, Any] = {}
        for name, value in given.items():
            check = self.checks.get(name)
            if check is None:
                raise bad(f'unknown parameter "{name}" of {self.name}')
            if value is None:
                continue
            reading = self.readings[name]
            if reading is not None and type(value) is str:
                try:
                    value = reading(value)
                except ValueError:
                    raise bad(f'can\'t parse parameter "{name}" of {self.name}') from None
            wrong = check(value)
            if wrong is not None:
                raise bad(f'wrong parameter "{name}" of {self.name}: {wrong}')
            taken[name] = value
        for name in self.required:
            if name not in taken:
                raise self._missing(name)
        return taken

    def _missing(self, name: str) -> Refusal:
        if name == "text":
            return bad("message text is empty")
        if name == "chat_id":
            return bad("chat_id is empty")
        return bad(f'missing required parameter "{name}" of {self.name}')


class Shapes:
    """The schema, compiled as far as it has been asked for."""

    def __init__(self, path: Path = SCHEMA_FILE) -> None:
        self._schema: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        self._names = {name.lower(): name for name in self._schema["methods"]}
        self._methods: dict[str, Method] = {}
        self._compiled: dict[str, Check] = {}

    def method(self, name: str) -> Method | None:
        """The method of that name in whatever capitals, or None."""
        known = self._methods.get(name)
        if known is None:
            true_name = self._names.get(name.lower())
            if true_name is None:
                return None
            known = Method(true_name, self._schema["methods"][true_name], self)
            if len(self._methods) < 4096:
                self._methods[name] = known
        return known

    def reading(self, shape: dict[str, Any]) -> Reading | None:
        """How the text of a form field becomes a value of this shape; None where it stays text."""
        kind = shape.get("type")
        if kind == "string":
            return None
        if kind == "integer":
            return int
        if kind == "number":
            return float
        if kind == "boolean" or "const" in shape:
            return _flag
        choices = shape.get("anyOf", [])
        if any(choice.get("type") == "string" for choice in choices):
            return _number_or_text if any(choice.get("type") == "integer" for choice in choices) else None
        return json.loads

    def check(self, shape: dict[str, Any]) -> Check:
        """A function that says what is wrong with a value of this shape."""
        if "$ref" in shape:
            return self._named(shape["$ref"].rsplit("/", 1)[1])
        if "anyOf" in shape:
            return _any_of([self.check(choice) for choice in shape["anyOf"]])
        if "const" in shape:
            return _exactly(shape["const"])
        kind = shape.get("type")
        if kind == "object":
            return self._object(shape)
        if kind == "array":
            return _array(self.check(shape["items"]))
        return _PLAIN.get(str(kind), _anything)

    def _named(self, name: str) -> Check:
        def late(value: Any) -> str | None:
            check = self._compiled.get(name)
            if check is None:
                check = self._compiled[name] = self.check(self._schema["$defs"][name])
            return check(value)

        return late

    def _object(self, shape: dict[str, Any]) -> Check:
        fields = {name: self.check(field) for name, field in shape.get("properties", {}).items()}
        required = tuple(shape.get("required", ()))

        def check(value: Any) -> str | None:
            if type(value) is not dict:
                return "an object is expected"
            for name, inner in value.items():
                field = fields.get(name)
                if field is None:
                    return f'unknown field "{name}"'
                if inner is not None and (wrong := field(inner)) is not None:
                    return f"{name}: {wrong}"
            for name in required:
                if name not in value:
                    return f'field "{name}" is missing'
            return None

        return check


def _flag(text: str) -> bool:
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise ValueError(text)


def _number_or_text(text: str) -> int | str:
    try:
        return int(text)
    except ValueError:
        return text


def _any_of(checks: list[Check]) -> Check:
    def check(value: Any) -> str | None:
        wrong: str | None = None
        for choice in checks:
            wrong = choice(value)
            if wrong is None:
                return None
        return wrong

    return check


def _array(item: Check) -> Check:
    def check(value: Any) -> str | None:
        if type(value) is not list:
            return "a list is expected"
        for inner in value:
            if (wrong := item(inner)) is not None:
                return wrong
        return None

    return check


def _exactly(constant: Any) -> Check:
    return lambda value: None if value == constant else f"{constant!r} is expected"


def _anything(value: Any) -> str | None:
    return None


_PLAIN: Final[dict[str, Check]] = {
    "string": lambda value: None if type(value) is str else "a string is expected",
    "integer": lambda value: None if type(value) is int else "a whole number is expected",
    "number": lambda value: None if type(value) in (int, float) else "a number is expected",
    "boolean": lambda value: None if type(value) is bool else "true or false is expected",
}
