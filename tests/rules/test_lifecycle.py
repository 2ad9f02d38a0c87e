"""An act's way through the rows: its entry in the history, the clocks that follow, and the minute to take it back."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from bot.domain.acts import ACTS, Act, Role, Status
from bot.domain.deadlines import Clock
from bot.domain.ladder import Moment
from bot.domain.ladder import Step as Rung
from bot.domain.rights import BOT, Actor
from bot.services.effects import Step
from bot.services.lifecycle import (
    carry_out,
    decide,
    late,
    may_remind,
    next_reminder,
    restore,
    running,
    schedule,
    settle,
)
from storage.tables import Incident, Unit
from storage.timers import set_timer
from tests.rules.bench import (
    GUANDI_CHAT,
    HOUR,
    LIN,
    MINUTE,
    NOW,
    OFFICE,
    OWN,
    POWER,
    POWER_CHAT,
    SECRETARY,
    UNIT,
    WATER,
    WATER_CHAT,
    WATER_MAN,
    Bench,
    who,
)

UNDO = timedelta(minutes=1)
NIGHT, MORNING = NOW.replace(hour=15), NOW.replace(hour=23)
"""23:00 in Shanghai, and 07:00 of the next day there, when the quiet hours end."""


def act_out(bench: Bench, incident: Incident, act: Act, role: Role, actor: Actor | None = None, **fields: Any) -> None:
    carry_out(bench.desk, incident, Step(act, actor or who(role), role, **fields))


# The history


def test_every_act_leaves_one_entry_that_says_all(bench: Bench) -> None:
    bench.source = "board"
    incident = bench.incident(Status.ACCEPTED)
    before = {"status": "accepted", "unit_id": WATER, "need": "", "rework": 0, "accepted_at": "2026-11-23T01:30:00Z"}
    act_out(bench, incident, Act.RETURN, Role.UNIT, reason="owner", what="look")
    (entry,) = bench.events(incident)
    told = entry.model_dump(exclude={"id", "undo"})
    assert told == {
        "incident_id": incident.id,
        "community_id": OWN,
        "at": NOW,
        "act": "return",
        "actor_id": WATER_MAN,
        "actor": "Wei",
        "role": "unit",
        "unit_id": WATER,
        "before": "accepted",
        "after": "filed",
        "reason": "owner",
        "what": "look",
        "source": "board",
    }
    assert {name: entry.undo[name] for name in before} == before


def test_an_entry_names_the_unit_that_has_it_then(bench: Bench) -> None:
    incident = bench.incident(Status.FILED)
    act_out(bench, incident, Act.DISPATCH, Role.SECRETARY, what="x", unit=bench.session.get_one(Unit, POWER))
    assert bench.last(incident).unit_id == POWER
    draft = bench.incident(Status.DRAFT)
    act_out(bench, draft, Act.FILE, Role.REPORTER, what="road")
    assert bench.last(draft).unit_id is None


def test_what_the_relay_does_by_itself_is_not_taken_back(bench: Bench) -> None:
    draft = bench.incident(Status.DRAFT)
    act_out(bench, draft, Act.FILE, Role.BOT, BOT, what="road")
    assert bench.last(draft).undo == {} and "refresh" not in bench.timers(draft)


def test_what_the_table_calls_final_is_not_taken_back(bench: Bench) -> None:
    incident = bench.incident(Status.RESOLVED)
    act_out(bench, incident, Act.SAY_FIXED, Role.MERCHANT, what="no")
    assert bench.last(incident).undo == {} and bench.timers(incident) == {}


def test_a_step_that_can_be_taken_back_is_looked_at_again_after_a_minute(bench: Bench) -> None:
    incident = bench.incident()
    act_out(bench, incident, Act.ACCEPT, Role.UNIT)
    assert bench.timers(incident)["refresh"] == NOW + UNDO
    assert set(bench.last(incident).undo) == {
        "status", "category", "unit_id", "refused_by", "filed_at", "dispatched_at", "accepted_at", "safe_at",
        "resolved_at", "closed_at", "accept_due", "safe_due", "repair_due", "verify_due", "parked_until",
        "reminded_at", "rework", "reopened", "breached", "need",
    }  # fmt: skip


# The clocks and messages that follow


def test_an_act_is_followed_by_its_messages(bench: Bench) -> None:
    incident = bench.incident(message_id=0)
    act_out(bench, incident, Act.ACCEPT, Role.UNIT)
    assert {(post.kind, post.chat_id) for post in bench.posts(incident)} == {
        ("line", GUANDI_CHAT),
        ("card", WATER_CHAT),
    }


def test_words_are_shown_and_stop_no_clock(bench: Bench) -> None:
    incident = bench.incident(reminded_at=NOW - 9 * MINUTE)
    set_timer(bench.session, incident.ident, "remind", NOW + 3 * MINUTE)
    act_out(bench, incident, Act.COMMENT, Role.UNIT, what="soon")
    assert incident.reminded_at == NOW - 9 * MINUTE
    assert bench.timers(incident) == {"remind": NOW + 3 * MINUTE}
    assert [post.chat_id for post in bench.posts(incident, "card")] == [WATER_CHAT]


def test_several_steps_are_settled_once(bench: Bench) -> None:
    draft = bench.incident(Status.DRAFT)
    decide(bench.desk, draft, Step(Act.FILE, BOT, Role.BOT, what="road"))
    assert bench.posts() == [] and bench.timers(draft) == {} and draft.status == "filed"
    settle(bench.desk, draft, fresh=True)
    assert bench.posts() and "remind" in bench.timers(draft) and draft.reminded_at == NOW


def test_a_change_of_clocks_forgets_what_was_missed_before(bench: Bench) -> None:
    incident = bench.incident(Status.ACCEPTED, repair_due=NOW + 4 * HOUR, safe_due=None)
    settle(bench.desk, incident)
    # Dispatched an hour ago for five hours in all: three quarters are gone in 2:45.
    assert bench.timers(incident) == {"remind": NOW + 165 * MINUTE}
    assert bench.row(incident)["reminded_at"] == NOW


def test_the_next_reminder_is_the_only_one_and_where_nothing_runs_there_is_none(bench: Bench) -> None:
    incident = bench.incident(Status.ACCEPTED, safe_due=None)
    for due in (NOW + HOUR, NOW + 3 * HOUR):
        incident.repair_due = due
        schedule(bench.desk, incident)
    assert bench.timers(incident) == {"remind": NOW + 2 * HOUR}
    set_timer(bench.session, incident.ident, "answer", NOW + HOUR)
    incident.status = "closed"
    schedule(bench.desk, incident)
    assert bench.timers(incident) == {"answer": NOW + HOUR}


def test_steps_up_to_the_last_reminder_are_done_with(bench: Bench) -> None:
    incident = bench.incident(Status.ACCEPTED, safe_due=None, dispatched_at=NOW - 4 * HOUR, repair_due=NOW)
    incident.reminded_at = NOW - HOUR  # just when three quarters were gone
    schedule(bench.desk, incident)
    assert bench.timers(incident) == {"remind": NOW}


def test_what_was_never_reminded_of_begins_with_its_clocks(bench: Bench) -> None:
    incident = bench.incident(safe_due=None, accept_due=NOW, repair_due=NOW + HOUR, reminded_at=None)
    schedule(bench.desk, incident)
    assert bench.timers(incident) == {"remind": NOW - 15 * MINUTE}


def test_what_is_dangerous_keeps_no_quiet_hours(bench: Bench) -> None:
    night = NOW.replace(hour=15)  # 23:00 in Shanghai
    for category, expected in (("cover.water", night), ("road", NOW.replace(hour=23))):
        incident = bench.incident(
            Status.ACCEPTED, safe_due=None, repair_due=night, dispatched_at=NOW, category=category, reminded_at=NOW,
            number=category,
        )  # fmt: skip
        incident.reminded_at = night - HOUR
        schedule(bench.desk, incident)
        assert bench.timers(incident) == {"remind": expected}, category


def test_a_community_without_quiet_hours_is_reminded_at_night(bench: Bench) -> None:
    bench.community(quiet_hours="")
    night = NOW.replace(hour=15)
    incident = bench.incident(Status.ACCEPTED, safe_due=None, repair_due=night, category="road")
    incident.reminded_at = night - MINUTE
    schedule(bench.desk, incident)
    assert bench.timers(incident) == {"remind": night}


# Which clocks run


def test_the_latest_of_the_limits_that_ran_out_comes_first(bench: Bench) -> None:
    incident = bench.incident(safe_due=NOW - HOUR, accept_due=NOW - 2 * HOUR, repair_due=NOW)
    assert [each.clock for each in late(incident, NOW)] == [Clock.REPAIR, Clock.SAFE, Clock.ACCEPT]
    assert [each.clock for each in late(incident, NOW - MINUTE)] == [Clock.SAFE, Clock.ACCEPT]
    assert late(bench.incident(Status.FILED, number="OW-2026-0002", accept_due=NOW - HOUR), NOW) == []


def test_a_limit_that_ran_out_unheard_is_owed_whatever_came_after_it(bench: Bench) -> None:
    ran_out: dict[str, Any] = {"safe_due": None, "repair_due": NOW - MINUTE, "reminded_at": NOW}
    incident = bench.incident(Status.ACCEPTED, **ran_out)
    assert next_reminder(bench.desk, incident) == Moment(NOW, Clock.REPAIR, Rung.DUE)
    incident.breached = True
    told = next_reminder(bench.desk, incident)
    assert told is not None and told.at > NOW and told.step is not Rung.DUE


def test_what_is_owed_is_heard_after_the_night_and_a_step_that_comes_sooner_before_it(bench: Bench) -> None:
    bench.now = NIGHT
    ran_out: dict[str, Any] = {"safe_due": None, "repair_due": NIGHT - MINUTE, "reminded_at": NIGHT}
    incident = bench.incident(Status.ACCEPTED, category="light", dispatched_at=NIGHT - 72 * HOUR, **ran_out)
    assert next_reminder(bench.desk, incident) == Moment(MORNING, Clock.REPAIR, Rung.DUE)
    incident.dispatched_at = NIGHT - 2 * HOUR
    assert next_reminder(bench.desk, incident) == Moment(MORNING, Clock.REPAIR, Rung.LATE), "of two, the weightier"
    bench.community(quiet_hours="")
    incident.reminded_at = NIGHT - HOUR
    before = next_reminder(bench.desk, incident)
    assert before is not None and (before.at < NIGHT - MINUTE, before.step) == (True, Rung.SOON)


def test_the_secretary_is_reminded_on_working_days_and_a_unit_on_any(bench: Bench) -> None:
    saturday = NOW + timedelta(days=5)
    incident = bench.incident(Status.RESOLVED, category="light")
    assert may_remind(bench.desk, incident, Clock.VERIFY, saturday) == saturday.replace(hour=0, minute=30) + timedelta(
        days=2
    )
    assert may_remind(bench.desk, incident, Clock.REPAIR, saturday) == saturday


def clocks(incident: Incident) -> dict[Clock, tuple[datetime, datetime]]:
    return {each.clock: (each.start, each.due) for each in running(incident)}


THEN = NOW - HOUR


def test_each_status_runs_its_own_clocks_from_its_own_beginning(bench: Bench) -> None:
    accept, safe, repair = (THEN, NOW + HOUR), (THEN, NOW + 2 * HOUR), (THEN, NOW + 5 * HOUR)
    common: dict[str, Any] = {"filed_at": THEN - HOUR, "created_at": THEN - 2 * HOUR, "number": None}
    assert clocks(bench.incident(Status.DISPATCHED, **common)) == {
        Clock.ACCEPT: accept,
        Clock.SAFE: safe,
        Clock.REPAIR: repair,
    }
    assert clocks(bench.incident(Status.ACCEPTED, **common)) == {Clock.SAFE: safe, Clock.REPAIR: repair}
    assert clocks(bench.incident(Status.FILED, **common)) == {Clock.ACCEPT: (THEN - HOUR, NOW + HOUR)}
    assert clocks(bench.incident(Status.RESOLVED, **common)) == {Clock.VERIFY: (NOW - 20 * MINUTE, NOW + 24 * HOUR)}
    assert clocks(bench.incident(Status.DRAFT, verify_due=NOW, **common)) == {Clock.VERIFY: (THEN - 2 * HOUR, NOW)}
    for status in (Status.CLOSED, Status.VOID, Status.DISMISSED, Status.MERGED):
        assert clocks(bench.incident(status, **common)) == {}


def test_a_clock_without_a_limit_or_without_a_beginning_does_not_run(bench: Bench) -> None:
    assert clocks(bench.incident(Status.DRAFT)) == {}
    assert set(clocks(bench.incident(safe_at=NOW, number=None))) == {Clock.ACCEPT, Clock.REPAIR}
    assert set(clocks(bench.incident(safe_due=None, number=None))) == {Clock.ACCEPT, Clock.REPAIR}
    assert clocks(bench.incident(dispatched_at=None, number=None)) == {}


def test_what_is_parked_runs_no_clock(bench: Bench) -> None:
    assert clocks(bench.incident(parked_until=NOW)) == {}


# Taken back


def test_taking_back_puts_every_column_as_it_was_and_says_so(bench: Bench) -> None:
    incident = bench.incident(Status.ACCEPTED, need="breached", needs=1, breached=True, refused_by=[POWER])
    before = bench.row(incident)
    act_out(bench, incident, Act.RETURN, Role.UNIT, reason="owner")
    step = bench.last(incident)
    bench.source = "board"
    bench.later(seconds=30)
    restore(bench.desk, incident, step, UNIT)
    after = bench.row(incident)
    changed = {name: value for name, value in after.items() if value != before[name]}
    # It calls for the secretary again, who was told of another need in between. Steps said before are not owed again.
    assert changed == {"needs": 3}
    entry = bench.last(incident)
    assert entry.model_dump(exclude={"id"}) == {
        "incident_id": incident.id,
        "community_id": OWN,
        "at": bench.now,
        "act": "undo",
        "actor_id": WATER_MAN,
        "actor": "Wei",
        "role": "unit",
        "unit_id": WATER,
        "before": "filed",
        "after": "accepted",
        "reason": "",
        "what": "return",
        "source": "board",
        "undo": {},
    }
    assert step.undo == {}
    bench.session.refresh(step)
    assert step.undo == {}


def test_every_moment_comes_back_as_a_moment(bench: Bench) -> None:
    moments = {
        "filed_at", "dispatched_at", "accepted_at", "safe_at", "resolved_at", "closed_at", "accept_due", "safe_due",
        "repair_due", "verify_due", "parked_until", "reminded_at",
    }  # fmt: skip
    known = {name: NOW + number * MINUTE for number, name in enumerate(sorted(moments))}
    incident = bench.incident(Status.ACCEPTED, **known)
    act_out(bench, incident, Act.RETURN, Role.UNIT, reason="owner")
    restore(bench.desk, incident, bench.last(incident), UNIT)
    after = bench.row(incident)
    assert {name: after[name] for name in known} == known


def test_a_step_taken_back_is_looked_at_no_more_and_reminds_as_before(bench: Bench) -> None:
    incident = bench.incident(safe_due=None, accept_due=NOW + HOUR, repair_due=NOW + 5 * HOUR)
    act_out(bench, incident, Act.RESOLVE, Role.UNIT)
    restore(bench.desk, incident, bench.last(incident), UNIT)
    assert bench.timers(incident) == {"remind": NOW + 30 * MINUTE}
    card = bench.posts(incident, "card")[0]
    assert card.wanted == 2 and card.due_at == NOW


def test_back_from_another_unit_it_is_a_new_card_here(bench: Bench) -> None:
    incident = bench.incident(Status.ACCEPTED)
    act_out(bench, incident, Act.REASSIGN, Role.SECRETARY, what="x", unit=bench.session.get_one(Unit, POWER))
    restore(bench.desk, incident, bench.last(incident), SECRETARY)
    assert (incident.unit_id, incident.cards, incident.status) == (WATER, 3, "accepted")
    assert bench.last(incident).actor_id == LIN
    assert {(post.chat_id, post.seq) for post in bench.posts(incident, "card")} == {(POWER_CHAT, 2), (WATER_CHAT, 3)}


def test_back_with_its_own_unit_or_with_none_it_is_no_new_card(bench: Bench) -> None:
    returned = bench.incident(Status.ACCEPTED)
    act_out(bench, returned, Act.RETURN, Role.UNIT, reason="owner")
    restore(bench.desk, returned, bench.last(returned), UNIT)
    dispatched = bench.incident(Status.FILED, number="OW-2026-0002")
    act_out(bench, dispatched, Act.DISPATCH, Role.SECRETARY, what="x", unit=bench.session.get_one(Unit, POWER))
    restore(bench.desk, dispatched, bench.last(dispatched), SECRETARY)
    accepted = bench.incident(number="OW-2026-0003")
    act_out(bench, accepted, Act.ACCEPT, Role.UNIT)
    restore(bench.desk, accepted, bench.last(accepted), UNIT)
    assert (returned.cards, dispatched.cards, accepted.cards) == (1, 1, 1)


def test_a_need_that_never_changed_is_not_called_twice(bench: Bench) -> None:
    undelivered = bench.incident(need="undelivered", needs=1)
    act_out(bench, undelivered, Act.ACCEPT, Role.UNIT)
    restore(bench.desk, undelivered, bench.last(undelivered), UNIT)
    assert (undelivered.need, undelivered.needs) == ("undelivered", 1)


def test_where_nobody_was_needed_nobody_is_called(bench: Bench) -> None:
    resolved = bench.incident(Status.ACCEPTED)
    act_out(bench, resolved, Act.RESOLVE, Role.UNIT)
    assert [post.chat_id for post in bench.posts(resolved, "office")] == [OFFICE]
    restore(bench.desk, resolved, bench.last(resolved), UNIT)
    assert (resolved.need, resolved.needs) == ("", 1)


UNDOABLE = [
    (act, status, role)
    for act, rule in ACTS.items()
    if rule.undoable
    for status in rule.moves
    for role in sorted(rule.roles - {Role.BOT})
]


@pytest.mark.parametrize(("act", "status", "role"), UNDOABLE)
def test_each_step_a_person_can_take_back_is_as_if_it_had_not_been(
    bench: Bench, act: Act, status: Status, role: Role
) -> None:
    incident = bench.incident(status)
    before = bench.row(incident)
    step = Step(act, who(role), role, reason="r", what="cover.water", unit=bench.session.get_one(Unit, WATER))
    carry_out(bench.desk, incident, step)
    assert incident.status == ACTS[act].moves[status]
    restore(bench.desk, incident, bench.last(incident), who(role))
    after = bench.row(incident)
    # What was counted up or told to people stays so: numbers, cards, calls.
    stays = {"number", "needs", "cards", "dispatches", "reminded_at", "suggested_id"}
    assert {name for name, value in after.items() if value != before[name]} <= stays
    assert after["status"] == before["status"]
