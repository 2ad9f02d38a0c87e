"""What each act leaves in the rows: exactly these columns, this entry in the history, these moments."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.domain.acts import Act, Role, Status
from bot.domain.rights import BOT, Actor, Forbidden
from bot.services.effects import Step, call_secretary
from bot.services.lifecycle import carry_out
from storage.tables import CategoryLimit, Incident, Unit
from storage.timers import set_timer
from tests.rules.bench import HOUR, MINUTE, NOW, OWN, POWER, WATER, Bench, who

DAY = timedelta(days=1)


def done(
    bench: Bench, incident: Incident, act: Act, role: Role, actor: Actor | None = None, **fields: Any
) -> dict[str, Any]:
    """Carry the act out; returns the columns that it changed, as they are now."""
    before = bench.row(incident)
    carry_out(bench.desk, incident, Step(act, actor or who(role), role, **fields))
    after = bench.row(incident)
    return {name: value for name, value in after.items() if value != before[name]}


def unit(bench: Bench, key: int) -> Unit:
    return bench.session.get_one(Unit, key)


COVER = {"accept_due": NOW + 30 * MINUTE, "safe_due": NOW + HOUR, "repair_due": NOW + 6 * HOUR}
"""The limits of a water cover, begun now."""


def test_filing_gives_a_number_a_category_and_limits(bench: Bench) -> None:
    draft = bench.incident(Status.DRAFT, need="unknown", needs=1, verify_due=NOW + DAY, breached=True)
    assert done(bench, draft, Act.FILE, Role.REPORTER, what="cover.water") == {
        "status": "filed",
        "number": "OW-2026-0001",
        "category": "cover.water",
        "filed_at": NOW,
        "verify_due": None,
        "need": "",
        "breached": False,
        "reminded_at": NOW,
        **COVER,
    }


def test_numbers_count_up_in_their_community_and_year(bench: Bench) -> None:
    first, second = bench.incident(Status.DRAFT), bench.incident(Status.DRAFT, message_id=52)
    # Eight in the evening in Greenwich is next morning's year in Shanghai.
    bench.now = datetime(2026, 12, 31, 20, 0, tzinfo=UTC)
    assert done(bench, first, Act.FILE, Role.BOT, actor=BOT, what="road")["number"] == "OW-2027-0001"
    assert done(bench, second, Act.FILE, Role.BOT, actor=BOT, what="road")["number"] == "OW-2027-0002"


def test_what_was_filed_before_keeps_its_number(bench: Bench) -> None:
    draft = bench.incident(Status.DRAFT, number="OW-2026-0007")
    assert "number" not in done(bench, draft, Act.FILE, Role.REPORTER, what="road")


def test_a_category_without_cones_has_no_such_limit(bench: Bench) -> None:
    draft = bench.incident(Status.DRAFT, safe_due=NOW + HOUR)
    changed = done(bench, draft, Act.FILE, Role.REPORTER, what="rubbish")
    # 10:00: two working hours end at 14:00, four at 16:00, Shanghai.
    assert (changed["accept_due"], changed["safe_due"], changed["repair_due"]) == (
        NOW + 4 * HOUR,
        None,
        NOW + 6 * HOUR,
    )


def test_an_alliance_may_set_limits_of_its_own(bench: Bench) -> None:
    bench.session.add(CategoryLimit(category="road", accept="5m", safe="7m", repair="1wd"))
    bench.session.flush()
    changed = done(bench, bench.incident(Status.DRAFT), Act.FILE, Role.REPORTER, what="road")
    assert (changed["accept_due"], changed["safe_due"], changed["repair_due"]) == (
        NOW + 5 * MINUTE,
        NOW + 7 * MINUTE,
        NOW + DAY,
    )


def test_a_dispatch_gives_it_to_the_unit_with_a_card_and_fresh_limits(bench: Bench) -> None:
    filed = bench.incident(Status.FILED, need="approve", needs=1, breached=True, safe_at=NOW, accepted_at=NOW)
    assert done(bench, filed, Act.DISPATCH, Role.SECRETARY, what="Power Co", unit=bench.session.get(Unit, POWER)) == {
        "status": "dispatched",
        "unit_id": POWER,
        "dispatched_at": NOW,
        "accepted_at": None,
        "safe_at": None,
        "dispatches": 1,
        "cards": 1,
        "need": "",
        "breached": False,
        "reminded_at": NOW,
        **COVER,
    }


def test_a_dispatch_without_a_unit_is_a_mistake_in_the_program(bench: Bench) -> None:
    with pytest.raises(ValueError, match=r"^a dispatch names its unit$"):
        done(bench, bench.incident(Status.FILED), Act.DISPATCH, Role.BOT, actor=BOT)


def test_another_unit_begins_anew(bench: Bench) -> None:
    accepted = bench.incident(Status.ACCEPTED, safe_at=NOW - MINUTE, need="breached", needs=1, breached=True)
    changed = done(bench, accepted, Act.REASSIGN, Role.SECRETARY, what="Power Co", unit=unit(bench, POWER))
    assert changed == {
        "status": "dispatched",
        "unit_id": POWER,
        "dispatched_at": NOW,
        "accepted_at": None,
        "safe_at": None,
        "dispatches": 2,
        "cards": 2,
        "need": "",
        "breached": False,
        "reminded_at": NOW,
        **COVER,
    }


def test_accepting_says_when(bench: Bench) -> None:
    assert done(bench, bench.incident(), Act.ACCEPT, Role.UNIT) == {
        "status": "accepted",
        "accepted_at": NOW,
        "reminded_at": NOW,
    }


def test_late_to_be_accepted_is_over_once_it_is(bench: Bench) -> None:
    late = bench.incident(breached=True, need="breached", needs=1)
    assert done(bench, late, Act.ACCEPT, Role.UNIT) == {
        "status": "accepted",
        "accepted_at": NOW,
        "breached": False,
        "need": "",
        "reminded_at": NOW,
    }


def test_late_to_be_repaired_stays_late_when_it_is_accepted(bench: Bench) -> None:
    for due in (NOW, NOW - MINUTE):
        late = bench.incident(breached=True, need="breached", needs=1, repair_due=due, number=f"OW-2026-{due.minute}")
        assert done(bench, late, Act.ACCEPT, Role.UNIT) == {
            "status": "accepted",
            "accepted_at": NOW,
            "reminded_at": NOW,
        }


def test_a_repair_that_ran_out_before_anybody_was_told_is_told_when_its_step_comes(bench: Bench) -> None:
    # In the night, say: nobody was reminded, and the unit signs for it before the morning.
    late = bench.incident(repair_due=NOW - MINUTE, need="note", needs=1)
    changed = done(bench, late, Act.ACCEPT, Role.UNIT)
    assert "breached" not in changed and changed["need"] == ""


def test_what_has_no_limit_is_never_late(bench: Bench) -> None:
    unlimited = bench.incident(repair_due=None, breached=True, need="breached", needs=1)
    changed = done(bench, unlimited, Act.ACCEPT, Role.UNIT)
    assert changed["breached"] is False and changed["need"] == ""


def test_a_note_is_answered_by_accepting_and_other_needs_are_not(bench: Bench) -> None:
    noted = bench.incident(need="note", needs=1)
    assert done(bench, noted, Act.ACCEPT, Role.UNIT)["need"] == ""
    undelivered = bench.incident(need="undelivered", needs=1, number="OW-2026-0002")
    assert "need" not in done(bench, undelivered, Act.ACCEPT, Role.UNIT)


def test_making_safe_accepts_as_well(bench: Bench) -> None:
    assert done(bench, bench.incident(need="breached", needs=1, breached=True), Act.MAKE_SAFE, Role.UNIT) == {
        "status": "accepted",
        "accepted_at": NOW,
        "safe_at": NOW,
        "breached": False,
        "need": "",
        "reminded_at": NOW,
    }


def test_making_safe_later_keeps_the_moment_of_accepting(bench: Bench) -> None:
    assert done(bench, bench.incident(Status.ACCEPTED), Act.MAKE_SAFE, Role.UNIT) == {
        "safe_at": NOW,
        "reminded_at": NOW,
    }


def test_a_unit_that_returns_it_is_remembered_and_the_secretary_called(bench: Bench) -> None:
    accepted = bench.incident(Status.ACCEPTED, refused_by=[POWER], breached=True)
    assert done(bench, accepted, Act.RETURN, Role.UNIT, reason="owner") == {
        "status": "filed",
        "unit_id": None,
        "refused_by": [POWER, WATER],
        "dispatched_at": None,
        "accepted_at": None,
        "need": "returned",
        "needs": 1,
        "breached": False,
        "reminded_at": NOW,
        **COVER,
    }


def test_what_was_never_filed_by_hand_counts_as_filed_when_it_comes_back(bench: Bench) -> None:
    odd = bench.incident(filed_at=None)
    assert done(bench, odd, Act.RETURN, Role.UNIT, reason="owner")["filed_at"] == NOW


def test_done_waits_for_the_secretary_one_working_day(bench: Bench) -> None:
    assert done(bench, bench.incident(), Act.RESOLVE, Role.UNIT) == {
        "status": "resolved",
        "accepted_at": NOW,
        "resolved_at": NOW,
        "verify_due": NOW + DAY,
        "need": "check",
        "needs": 1,
        "reminded_at": NOW,
    }


def test_done_keeps_the_moment_of_accepting(bench: Bench) -> None:
    assert "accepted_at" not in done(bench, bench.incident(Status.ACCEPTED), Act.RESOLVE, Role.UNIT)


def test_confirming_ends_it(bench: Bench) -> None:
    assert done(bench, bench.incident(Status.RESOLVED), Act.CONFIRM, Role.SECRETARY) == {
        "status": "closed",
        "closed_at": NOW,
        "need": "",
        "reminded_at": NOW,
    }


def test_sent_back_is_a_new_card_within_the_old_limit(bench: Bench) -> None:
    resolved = bench.incident(Status.RESOLVED, breached=True, safe_at=NOW - MINUTE, rework=1)
    assert done(bench, resolved, Act.SEND_BACK, Role.SECRETARY, reason="half") == {
        "status": "accepted",
        "resolved_at": None,
        "verify_due": None,
        "cards": 2,
        "rework": 2,
        "breached": False,
        "need": "",
        "reminded_at": NOW,
    }


@pytest.mark.parametrize("due", [NOW, NOW - MINUTE, None])
def test_sent_back_past_its_limit_gets_a_limit_of_its_own(bench: Bench, due: datetime | None) -> None:
    resolved = bench.incident(Status.RESOLVED, repair_due=due)
    changed = done(bench, resolved, Act.SEND_BACK, Role.SECRETARY, reason="half")
    # Nobody has to make it safe again: what was not asked for in time is asked for no more.
    assert (changed["dispatched_at"], changed["repair_due"], changed["safe_due"]) == (NOW, NOW + 6 * HOUR, None)


def test_a_reopened_incident_is_back_with_its_unit(bench: Bench) -> None:
    closed = bench.incident(Status.CLOSED, need="reopen", needs=2, repair_due=NOW - MINUTE, reopened=1)
    assert done(bench, closed, Act.REOPEN, Role.SECRETARY) == {
        "status": "accepted",
        "resolved_at": None,
        "verify_due": None,
        "closed_at": None,
        "dispatched_at": NOW,
        "repair_due": NOW + 6 * HOUR,
        "safe_due": None,
        "cards": 2,
        "reopened": 2,
        "need": "",
        "reminded_at": NOW,
    }


def test_asking_to_reopen_calls_the_secretary_and_nothing_else(bench: Bench) -> None:
    assert done(bench, bench.incident(Status.CLOSED), Act.ASK_REOPEN, Role.REPORTER) == {"need": "reopen", "needs": 1}


@pytest.mark.parametrize(
    ("act", "status", "role", "end"),
    [
        (Act.NOT_A_REPORT, Status.DRAFT, Role.REPORTER, "void"),
        (Act.DISMISS, Status.FILED, Role.SECRETARY, "dismissed"),
        (Act.VOID, Status.ACCEPTED, Role.SECRETARY, "void"),
    ],
)
def test_the_other_ends_stop_everything(bench: Bench, act: Act, status: Status, role: Role, end: str) -> None:
    incident = bench.incident(status, need="unknown", needs=1)
    for kind in ("gather", "answer", "remind", "refresh"):
        set_timer(bench.session, incident.ident, kind, NOW + HOUR)
    assert done(bench, incident, act, role, reason="mistake") == {
        "status": end,
        "closed_at": NOW,
        "need": "",
        "reminded_at": NOW,
    }
    # The minute in which it can be taken back is all that is waited for.
    assert bench.timers(incident) == {"refresh": NOW + MINUTE}


def test_words_and_answers_change_nothing(bench: Bench) -> None:
    assert done(bench, bench.incident(), Act.COMMENT, Role.UNIT, what="on our way") == {}
    resolved = bench.incident(Status.RESOLVED, number="OW-2026-0002")
    assert done(bench, resolved, Act.SAY_FIXED, Role.MERCHANT, what="no") == {}
    assert done(bench, bench.incident(number="OW-2026-0003"), Act.SPLIT, Role.REPORTER) == {}


def test_the_secretary_is_called_once_for_each_reason(bench: Bench) -> None:
    incident = bench.incident()
    told = []
    for need in ("returned", "returned", "", "returned", "check", ""):
        call_secretary(incident, need)
        told.append((incident.need, incident.needs))
    assert told == [("returned", 1), ("returned", 1), ("", 1), ("returned", 2), ("check", 3), ("", 3)]


def test_nobody_writes_past_their_rights(bench: Bench) -> None:
    incident = bench.incident(Status.RESOLVED)
    before = bench.row(incident)
    for act, actor, role in (
        (Act.CONFIRM, who(Role.UNIT), Role.UNIT),
        (Act.CONFIRM, who(Role.SECRETARY), Role.UNIT),
        (Act.ACCEPT, who(Role.UNIT), Role.UNIT),
        (Act.CONFIRM, Actor(0, ""), Role.BOT),
    ):
        with pytest.raises(Forbidden):
            carry_out(bench.desk, incident, Step(act, actor, role))
    assert bench.row(incident) == before and bench.events(incident) == [] and bench.posts() == []
    assert incident.community_id == OWN
