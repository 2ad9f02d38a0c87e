"""Who hears what when an incident's moment has come: unit, office, street; once, by day, and never twice."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.domain.acts import Act, Role, Status
from bot.services.effects import Step
from bot.services.lifecycle import carry_out, settle
from bot.services.reminding import fire, waits_until
from storage.tables import Community, Incident, Person, Timer
from storage.timers import set_timer
from tests.rules.bench import (
    GUANDI_CHAT,
    HOUR,
    MINUTE,
    NOW,
    OFFICE,
    STREET,
    STREET_OFFICE,
    TELECOM,
    UNIT,
    WATER,
    WATER_CHAT,
    ZHANG,
    Bench,
)

DAY = timedelta(days=1)
NIGHT = NOW.replace(hour=15)
"""23:00 in Shanghai."""
MORNING = NOW.replace(hour=23)
"""07:00 of the next day there, when the quiet hours end."""


def alarm(bench: Bench, incident: Incident, kind: str = "remind") -> bool:
    """The timer of this kind is due, and fires."""
    set_timer(bench.session, incident.ident, kind, bench.now)
    bench.session.flush()
    bench.source = "clock"
    return fire(bench.desk, incident.ident, kind)


def reminders(bench: Bench, incident: Incident) -> list[tuple[int, dict[str, Any]]]:
    """(chat, what the reminder is told) of those that stand."""
    found = [post for post in bench.posts(incident, "reminder") if post.args.get("newest", True)]
    wanted = ("clock", "step", "unit", "street")
    return [(post.chat_id, {key: post.args[key] for key in wanted if key in post.args}) for post in found]


def at_work(bench: Bench, repair: datetime, start: datetime | None = None, **columns: Any) -> Incident:
    """In hand with the water company, with a limit for the repair alone."""
    start = start or NOW - HOUR
    known: dict[str, Any] = {"safe_due": None, "dispatched_at": start, "repair_due": repair, "reminded_at": start}
    return bench.incident(Status.ACCEPTED, **{**known, **columns})


# The timer


def test_a_timer_fires_once_and_only_when_it_is_due(bench: Bench) -> None:
    incident = at_work(bench, NOW + 5 * HOUR)
    assert not fire(bench.desk, incident.ident, "refresh")
    assert not fire(bench.desk, 77, "refresh")
    set_timer(bench.session, incident.ident, "refresh", NOW + timedelta(milliseconds=1))
    assert not fire(bench.desk, incident.ident, "refresh")
    assert "refresh" in bench.timers(incident)
    bench.later(milliseconds=1)
    assert fire(bench.desk, incident.ident, "refresh")
    assert "refresh" not in bench.timers(incident)
    assert not fire(bench.desk, incident.ident, "refresh")


def test_a_timer_of_another_kind_stays(bench: Bench) -> None:
    incident = at_work(bench, NOW + 5 * HOUR)
    set_timer(bench.session, incident.ident, "answer", NOW)
    assert alarm(bench, incident, "refresh")
    assert bench.timers(incident) == {"answer": NOW}


# Who hears what


def test_the_unit_hears_before_its_limit_and_the_office_does_not(bench: Bench) -> None:
    incident = at_work(bench, NOW + 20 * MINUTE)
    card = bench.post(incident, "card", message_ids=[401, 402], state="shown")
    assert alarm(bench, incident)
    assert reminders(bench, incident) == [(WATER_CHAT, {"clock": "repair", "step": "soon", "unit": WATER})]
    (reminder,) = bench.posts(incident, "reminder")
    assert (reminder.reply_to, reminder.thread_id, reminder.due_at, reminder.seq) == (401, 9, NOW, 0)
    assert (incident.breached, incident.need) == (False, "")
    assert bench.row(incident)["reminded_at"] == NOW
    assert bench.timers(incident) == {"remind": NOW + 20 * MINUTE}
    # The card counts down: it is looked at again.
    bench.session.refresh(card)
    assert card.wanted == 2


def test_a_reminder_without_a_card_yet_answers_nothing(bench: Bench) -> None:
    incident = at_work(bench, NOW + 20 * MINUTE)
    bench.post(incident, "card")
    assert alarm(bench, incident)
    assert bench.posts(incident, "reminder")[0].reply_to is None


def test_at_the_limit_the_office_hears_of_the_breach_once(bench: Bench) -> None:
    incident = at_work(bench, NOW, start=NOW - 4 * HOUR, reminded_at=NOW - HOUR)
    assert alarm(bench, incident)
    assert reminders(bench, incident) == [(WATER_CHAT, {"clock": "repair", "step": "due", "unit": WATER})]
    assert (incident.breached, incident.need, incident.needs) == (True, "breached", 1)
    assert [(post.chat_id, post.seq, post.thread_id) for post in bench.posts(incident, "office")] == [(OFFICE, 1, 7)]
    assert bench.timers(incident) == {"remind": NOW + 2 * HOUR}
    bench.later(hours=2)
    assert alarm(bench, incident)
    assert reminders(bench, incident) == [(WATER_CHAT, {"clock": "repair", "step": "late", "unit": WATER})]
    assert (incident.need, incident.needs) == ("breached", 1)


def test_a_reminder_takes_the_place_of_the_one_before(bench: Bench) -> None:
    incident = at_work(bench, NOW + 20 * MINUTE)
    alarm(bench, incident)
    bench.later(minutes=20)
    alarm(bench, incident)
    first, second = bench.posts(incident, "reminder")
    assert (first.seq, first.args["newest"], first.due_at) == (0, False, bench.now) and first.wanted > 1
    assert (second.seq, second.args["step"]) == (1, "due") and "newest" not in second.args


def test_the_street_hears_after_twice_the_limit_and_so_does_the_unit(bench: Bench) -> None:
    incident = at_work(bench, NOW - 4 * HOUR, start=NOW - 8 * HOUR, reminded_at=NOW - 2 * HOUR, breached=True)
    assert alarm(bench, incident)
    told = {"clock": "repair", "step": "street", "unit": WATER}
    assert reminders(bench, incident) == [(WATER_CHAT, told), (STREET_OFFICE, {**told, "street": True})]


def test_a_community_without_a_street_tells_its_own_alone(bench: Bench) -> None:
    bench.community(parent="")
    incident = at_work(bench, NOW - 4 * HOUR, start=NOW - 8 * HOUR, reminded_at=NOW - 2 * HOUR)
    assert alarm(bench, incident)
    assert [chat for chat, _ in reminders(bench, incident)] == [WATER_CHAT]


def test_a_street_without_an_office_is_told_nothing(bench: Bench) -> None:
    bench.unbind(STREET_OFFICE)
    incident = at_work(bench, NOW - 4 * HOUR, start=NOW - 8 * HOUR, reminded_at=NOW - 2 * HOUR)
    assert alarm(bench, incident)
    assert [chat for chat, _ in reminders(bench, incident)] == [WATER_CHAT]
    assert bench.session.get_one(Community, STREET).active


def test_what_no_unit_has_is_the_offices(bench: Bench) -> None:
    filed = bench.incident(Status.FILED, accept_due=NOW, reminded_at=NOW - MINUTE)
    assert alarm(bench, filed)
    assert reminders(bench, filed) == [(OFFICE, {"clock": "accept", "step": "due", "unit": None})]
    # Nobody has promised anything yet: that is no breach of a unit's.
    assert (filed.breached, filed.need) == (False, "")


def test_what_a_unit_without_a_chat_has_is_the_offices(bench: Bench) -> None:
    incident = at_work(bench, NOW + 20 * MINUTE, unit_id=TELECOM)
    assert alarm(bench, incident)
    assert [chat for chat, _ in reminders(bench, incident)] == [OFFICE]


def test_where_nobody_can_be_told_the_breach_is_noted_all_the_same(bench: Bench) -> None:
    bench.unbind(OFFICE)
    incident = at_work(bench, NOW, unit_id=TELECOM, reminded_at=NOW - MINUTE)
    assert alarm(bench, incident)
    assert reminders(bench, incident) == [] and incident.breached and incident.need == "breached"


def test_what_is_done_is_the_offices_to_check(bench: Bench) -> None:
    # Said to be done on Friday; on Monday the office opens at half past eight.
    friday = NOW - 3 * DAY
    resolved = bench.incident(Status.RESOLVED, resolved_at=friday, verify_due=NOW, reminded_at=friday)
    bench.now = NOW - 90 * MINUTE
    assert alarm(bench, resolved)
    assert reminders(bench, resolved) == [(OFFICE, {"clock": "verify", "step": "verify", "unit": WATER})]
    assert (resolved.breached, resolved.need, resolved.needs) == (False, "check", 1)
    assert bench.timers(resolved) == {"remind": NOW - 90 * MINUTE + DAY}


def test_of_several_clocks_the_repair_is_told_and_else_the_newest(bench: Bench) -> None:
    both = bench.incident(accept_due=NOW, safe_due=None, repair_due=NOW + 20 * MINUTE, reminded_at=NOW - 50 * MINUTE)
    assert alarm(bench, both)
    assert reminders(bench, both)[0][1] == {"clock": "repair", "step": "soon", "unit": WATER}
    early = bench.incident(
        accept_due=NOW, safe_due=NOW - 10 * MINUTE, repair_due=NOW + DAY, reminded_at=NOW - 50 * MINUTE, number="x"
    )
    assert alarm(bench, early)
    assert reminders(bench, early)[0][1] == {"clock": "accept", "step": "due", "unit": WATER}


# Not at night, not a storm


def test_in_the_night_what_is_not_dangerous_waits_for_the_morning(bench: Bench) -> None:
    bench.now = NIGHT
    incident = at_work(bench, NIGHT, category="road", reminded_at=NIGHT - MINUTE)
    assert alarm(bench, incident)
    assert reminders(bench, incident) == [] and not incident.breached
    assert bench.timers(incident) == {"remind": MORNING}


def test_in_the_night_what_is_dangerous_is_told(bench: Bench) -> None:
    bench.now = NIGHT
    incident = at_work(bench, NIGHT, reminded_at=NIGHT - MINUTE)
    assert alarm(bench, incident)
    assert [chat for chat, _ in reminders(bench, incident)] == [WATER_CHAT] and incident.breached


def test_a_community_without_quiet_hours_is_told_at_night(bench: Bench) -> None:
    bench.community(quiet_hours="")
    bench.now = NIGHT
    incident = at_work(bench, NIGHT, category="road", reminded_at=NIGHT - MINUTE)
    assert alarm(bench, incident)
    assert [chat for chat, _ in reminders(bench, incident)] == [WATER_CHAT]


def test_after_days_off_there_is_one_reminder_and_it_is_the_newest(bench: Bench) -> None:
    incident = at_work(bench, NOW - 3 * DAY, start=NOW - 3 * DAY - 4 * HOUR)
    incident.reminded_at = NOW - 3 * DAY - 4 * HOUR
    assert alarm(bench, incident)
    assert [(chat, told["step"]) for chat, told in reminders(bench, incident)] == [
        (WATER_CHAT, "late"),
        (STREET_OFFICE, "late"),
    ]
    assert len(bench.posts(incident, "reminder")) == 2
    assert bench.timers(incident)["remind"] > NOW
    assert bench.row(incident)["reminded_at"] == NOW


def test_what_runs_no_clock_is_not_told_and_not_looked_at_again(bench: Bench) -> None:
    for number, columns in enumerate(({"parked_until": NOW + DAY}, {"repair_due": None, "safe_due": None})):
        incident = at_work(bench, NOW, number=f"OW-2025-{number}")
        for name, value in columns.items():
            setattr(incident, name, value)
        assert alarm(bench, incident)
        assert bench.posts(incident) == [] and bench.timers(incident) == {}


def test_an_alarm_with_nothing_to_say_only_looks_for_the_next(bench: Bench) -> None:
    incident = at_work(bench, NOW + 5 * HOUR, reminded_at=NOW - MINUTE)
    assert alarm(bench, incident)
    assert bench.posts(incident, "reminder") == []
    assert bench.row(incident)["reminded_at"] == NOW - MINUTE
    # An hour of six is gone: three quarters of it in three and a half.
    assert bench.timers(incident) == {"remind": NOW + 210 * MINUTE}


def test_what_was_never_reminded_of_is_owed_everything_since_it_began(bench: Bench) -> None:
    incident = at_work(bench, NOW + 20 * MINUTE, reminded_at=None)
    assert alarm(bench, incident)
    assert [told["step"] for _, told in reminders(bench, incident)] == ["soon"]


def test_a_breach_that_an_act_overtook_is_told_all_the_same(bench: Bench) -> None:
    """The limit ran out at night and the unit signed for it before the morning's reminder: the step is overtaken, the
    secretary hears of it when the night is over."""
    bench.now = NIGHT + 2 * HOUR
    incident = bench.incident(category="road", repair_due=NIGHT, safe_due=None, accept_due=NIGHT, reminded_at=NIGHT)
    carry_out(bench.desk, incident, Step(Act.ACCEPT, UNIT, Role.UNIT))
    assert (incident.breached, incident.need) == (False, "")
    assert bench.timers(incident)["remind"] == MORNING
    bench.now = MORNING
    assert alarm(bench, incident)
    assert (incident.breached, incident.need, incident.needs) == (True, "breached", 1)
    assert [post.chat_id for post in bench.posts(incident, "office")] == [OFFICE]


def test_a_step_told_before_the_clock_was_set_back_is_not_told_again(bench: Bench) -> None:
    incident = at_work(bench, NOW + 20 * MINUTE)
    assert alarm(bench, incident)
    incident.reminded_at = NOW - HOUR
    assert alarm(bench, incident)
    assert len(bench.posts(incident, "reminder")) == 1
    # Set to work again within another limit it hears all its steps anew.
    incident.repair_due = NOW + 15 * MINUTE
    incident.reminded_at = NOW - HOUR
    assert alarm(bench, incident)
    assert len(bench.posts(incident, "reminder")) == 2


# The minute for undoing, and an unanswered prompt


def test_after_the_minute_for_undoing_what_was_no_report_is_erased(bench: Bench) -> None:
    draft = bench.incident(
        Status.VOID, number=None, category="", unit_id=None, shop="Noodles", address="Guandi 1", place="gate",
        latitude=1.0, longitude=2.0, likely=["road"],
    )  # fmt: skip
    bench.part(draft, text="words")
    bench.event(draft, "caught", ZHANG, role="reporter")
    bench.session.add(Person(user_id=ZHANG, name="Zhang"))
    bench.session.flush()
    assert alarm(bench, draft, "refresh")
    row = bench.row(draft)
    assert {row[name] for name in ("shop", "address", "place")} == {""}
    assert (row["latitude"], row["reporter_id"], row["author_id"], row["likely"]) == (None, None, 0, [])
    assert bench.events(draft) == [] and bench.session.get(Person, ZHANG) is None
    # The reaction on the picture goes with it.
    assert [(post.kind, post.chat_id) for post in bench.posts(draft)] == [("reaction", GUANDI_CHAT)]


@pytest.mark.parametrize(
    ("status", "number"), [(Status.VOID, "OW-2026-0001"), (Status.DRAFT, None), (Status.ACCEPTED, "OW-2026-0001")]
)
def test_after_the_minute_everything_else_is_only_looked_at(bench: Bench, status: Status, number: str | None) -> None:
    incident = bench.incident(status, number=number)
    bench.event(incident, "accept")
    card = bench.post(incident, "line", chat_id=GUANDI_CHAT, state="shown", seq=0)
    assert alarm(bench, incident, "refresh")
    assert len(bench.events(incident)) == 1 and incident.reporter_id == ZHANG
    bench.session.refresh(card)
    assert card.wanted == 2


def test_a_prompt_nobody_answered_is_the_secretarys(bench: Bench) -> None:
    draft = bench.incident(Status.DRAFT)
    assert alarm(bench, draft, "answer")
    assert (draft.need, draft.needs, draft.status) == ("unknown", 1, "draft")
    assert bench.row(draft)["verify_due"] == NOW + DAY
    assert [post.chat_id for post in bench.posts(draft, "office")] == [OFFICE]


@pytest.mark.parametrize("status", [Status.VOID, Status.DISMISSED, Status.CLOSED, Status.DISPATCHED])
def test_a_prompt_that_is_over_calls_nobody(bench: Bench, status: Status) -> None:
    incident = bench.incident(status)
    assert alarm(bench, incident, "answer")
    assert incident.need == "" and bench.posts(incident, "office") == []


def test_when_gathering_ends_the_author_is_asked(bench: Bench) -> None:
    draft = bench.incident(Status.DRAFT)
    bench.part(draft)
    assert alarm(bench, draft, "gather")
    (prompt,) = bench.posts(draft, "prompt")
    assert (prompt.chat_id, prompt.user_id, prompt.remove_at) == (GUANDI_CHAT, ZHANG, NOW + 5 * MINUTE)
    assert bench.timers(draft)["answer"] == NOW + 5 * MINUTE


def test_nobody_elses_reminders_are_touched(bench: Bench) -> None:
    one, other = at_work(bench, NOW + 20 * MINUTE), at_work(bench, NOW + 20 * MINUTE, number="x")
    settle(bench.desk, other)
    before = bench.timers(other)
    assert alarm(bench, one)
    assert bench.timers(other) == before and bench.posts(other, "reminder") == []
    assert bench.session.get(Timer, (one.ident, "remind")) is not None


# Sent


SATURDAY = datetime(2026, 11, 28, 2, 0, tzinfo=UTC)
"""10:00 in Shanghai."""


@pytest.mark.parametrize(
    ("args", "status", "until"),
    [
        ({"clock": "verify"}, Status.RESOLVED, datetime(2026, 11, 30, 0, 30, tzinfo=UTC)),
        ({"clock": "repair"}, Status.ACCEPTED, SATURDAY),
        ({}, Status.ACCEPTED, SATURDAY),
    ],
)
def test_a_reminder_to_check_waits_for_a_working_day_and_one_to_repair_does_not(
    bench: Bench, args: dict[str, Any], status: Status, until: datetime
) -> None:
    incident = bench.incident(status, category="light")
    bench.now = SATURDAY
    assert waits_until(bench.desk, bench.post(incident, "reminder", args=args)) == until


def test_a_reminder_waits_for_the_one_before_it_and_for_no_other(bench: Bench) -> None:
    incident = bench.incident(Status.ACCEPTED)
    stands = {"state": "shown", "message_ids": [7]}
    bench.post(incident, "reminder", seq=1, **{**stands, "message_ids": []}, due_at=NOW + 2 * MINUTE)
    bench.post(incident, "reminder", seq=2, **stands, due_at=None)
    bench.post(incident, "reminder", seq=5, **stands, due_at=NOW + 3 * MINUTE)
    own = bench.post(incident, "reminder", seq=4, **stands, due_at=NOW + 4 * MINUTE)
    assert waits_until(bench.desk, own) == NOW
    bench.post(incident, "reminder", seq=3, **stands, due_at=NOW + MINUTE)
    assert waits_until(bench.desk, own) == NOW + MINUTE + timedelta(seconds=1)


def test_a_reminder_of_nothing_waits_for_nothing(bench: Bench) -> None:
    bench.now = NIGHT
    assert waits_until(bench.desk, bench.post(None, "reminder")) == NIGHT


def test_what_was_told_is_remembered_for_each_clock_by_its_newest(bench: Bench) -> None:
    """The clock was set back: the same moments come by once more."""
    incident = at_work(bench, NOW + 20 * MINUTE)
    assert alarm(bench, incident)
    told = bench.posts(incident, "reminder")[0].args["told"]
    incident.reminded_at = NOW - HOUR
    older = {name: at - 1 for name, at in told.items()}
    bench.post(incident, "reminder", chat_id=WATER_CHAT, seq=9, args={"told": older}, state="gone", due_at=None)
    bench.post(incident, "reminder", chat_id=WATER_CHAT, seq=10, args={}, state="gone", due_at=None)
    count = len(bench.posts(incident, "reminder"))
    assert alarm(bench, incident)
    assert len(bench.posts(incident, "reminder")) == count
