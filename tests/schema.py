"""Holds what the bot asks against the published Bot API schema: names, types, what is missing."""

from functools import cache
from typing import Any

from jsonschema import Draft202012Validator

from tests.test_sandbox_kit import SCHEMA


@cache
def _validator(method: str) -> Draft202012Validator:
    return Draft202012Validator({**SCHEMA["methods"][method], "$defs": SCHEMA["$defs"]})


def wrong_with_request(method: str, request: dict[str, Any]) -> str | None:
    """What the schema has against the parameters of a call, or None."""
    if method not in SCHEMA["methods"]:
        return f"{method} is no method of the Bot API"
    error = next(_validator(method).iter_errors(request), None)
    return None if error is None else f"{method} {error.json_path}: {error.message[:300]}"


def hold(calls: list[dict[str, Any]]) -> None:
    """Raise AssertionError for the first request that the schema does not allow."""
    for call in calls:
        wrong = wrong_with_request(call["method"], call["request"])
        assert wrong is None, wrong
