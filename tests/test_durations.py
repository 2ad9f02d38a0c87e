"""What an operator may write as a limit, and what is refused."""

from datetime import timedelta

import pytest

from bot.domain.durations import Duration


@pytest.mark.parametrize(
    ("text", "natural"),
    [
        ("90s", timedelta(seconds=90)),
        ("30m", timedelta(minutes=30)),
        ("6h", timedelta(hours=6)),
        ("3d", timedelta(days=3)),
        ("400d", timedelta(days=400)),
        (" 30M ", timedelta(minutes=30)),
    ],
)
def test_a_natural_duration_is_a_length_on_the_clock(text: str, natural: timedelta) -> None:
    duration = Duration.parse(text)
    assert duration.natural == natural
    assert not duration.is_working


@pytest.mark.parametrize(("text", "amount", "unit"), [("4wh", 4, "wh"), ("2wd", 2, "wd"), ("9600wh", 9600, "wh")])
def test_a_working_duration_has_no_length_without_a_calendar(text: str, amount: int, unit: str) -> None:
    duration = Duration.parse(text)
    assert (duration.amount, duration.unit, duration.is_working) == (amount, unit, True)
    with pytest.raises(ValueError, match=f"'{text}' counts working time"):
        _ = duration.natural


def test_what_was_written_can_be_shown_and_read_again() -> None:
    for unit in ("s", "m", "h", "d", "wh", "wd"):
        for amount in (1, 2, 59, 400):
            duration = Duration(amount, unit)
            assert duration.text == str(duration) == f"{amount}{unit}"
            assert Duration.parse(duration.text) == duration


@pytest.mark.parametrize(
    "text",
    (
        *("", "30", "m", "0m", "00d", "-3d", "+3d", "1.5h", "3 d", "3w", "3y", "30m6h", "1e3s", "3d\nx"),
        *("401d", "9601wh", "401wd", "34560001s", "9" * 5000 + "d"),
        *("\uff13h", "٣d", "3ſ"),  # digits and letters of other scripts
    ),
)
def test_anything_else_is_refused_in_one_line_that_names_it(text: str) -> None:
    with pytest.raises(ValueError) as refusal:
        Duration.parse(text)
    message = str(refusal.value)
    assert "\n" not in message
    assert len(message) < 200
    assert repr(text[:20])[1:-2] in message


def test_a_refusal_tells_the_forms_that_work() -> None:
    with pytest.raises(ValueError, match=r"'soon' is not a duration.*90s, 30m, 6h, 3d, 4wh.*2wd"):
        Duration.parse("soon")


def test_a_duration_cannot_be_built_wrong_either() -> None:
    for amount, unit in ((0, "h"), (-1, "wd"), (1, "week"), (401, "d")):
        with pytest.raises(ValueError, match="duration"):
            Duration(amount, unit)
