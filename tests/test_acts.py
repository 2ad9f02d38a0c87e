"""The table of acts against DOMAIN's, over every status, act, role, and own or other community."""

from datetime import UTC, datetime, timedelta

import pytest

from bot.domain.acts import ACTS, ENDED, OPEN, REASONS, Act, Role, Status
from bot.domain.rights import BOT, Actor, Matter, Refusal, Standing, allowed, may, roles

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
OWN, OTHER = 1, 2
UNIT, OTHER_UNIT, DISTRICT, OTHER_DISTRICT = 10, 11, 20, 21
PERSON = 500000101

D, F, P, A, R, C = (
    Status.DRAFT,
    Status.FILED,
    Status.DISPATCHED,
    Status.ACCEPTED,
    Status.RESOLVED,
    Status.CLOSED,
)
# Written by hand from the domain's table, not derived from the program's: act → (who, {from: to}).
WRITTEN: dict[Act, tuple[set[Role], dict[Status, Status]]] = {
    Act.FILE: ({Role.BOT, Role.REPORTER, Role.SECRETARY}, {D: F}),
    Act.NOT_A_REPORT: ({Role.BOT, Role.REPORTER, Role.SECRETARY}, {D: Status.VOID}),
    Act.DISMISS: ({Role.SECRETARY}, {D: Status.DISMISSED, F: Status.DISMISSED}),
    Act.DISPATCH: ({Role.BOT, Role.SECRETARY}, {F: P}),
    Act.ACCEPT: ({Role.UNIT}, {P: A}),
    Act.MAKE_SAFE: ({Role.UNIT}, {P: A, A: A}),
    Act.RETURN: ({Role.UNIT}, {P: F, A: F}),
    Act.ASK_FOR_TIME: ({Role.UNIT}, {A: A}),
    Act.RESOLVE: ({Role.UNIT}, {P: R, A: R}),
    Act.CONFIRM: ({Role.SECRETARY}, {R: C}),
    Act.SEND_BACK: ({Role.SECRETARY}, {R: A}),
    Act.REOPEN: ({Role.SECRETARY}, {C: A}),
    Act.ASK_REOPEN: ({Role.REPORTER}, {C: C}),
    Act.REASSIGN: ({Role.SECRETARY}, {F: P, P: P, A: P}),
    Act.PARK: ({Role.SECRETARY}, {F: F, P: P, A: A}),
    Act.MERGE: ({Role.SECRETARY}, dict.fromkeys((D, F, P, A), Status.MERGED)),
    Act.VOID: ({Role.SECRETARY}, dict.fromkeys((F, P, A), Status.VOID)),
    Act.SAY_FIXED: ({Role.REPORTER, Role.MERCHANT}, {R: R}),
    Act.SPLIT: ({Role.REPORTER, Role.SECRETARY}, {D: D, F: F, P: P}),
    Act.COMMENT: (
        {Role.REPORTER, Role.MERCHANT, Role.UNIT, Role.SECRETARY, Role.STREET},
        {status: status for status in Status},
    ),
    Act.UNDO: ({Role.REPORTER, Role.UNIT, Role.SECRETARY}, {status: status for status in Status}),
}


def matter(status: Status) -> Matter:
    closed_at = NOW - timedelta(days=1) if status in ENDED else None
    return Matter(OWN, DISTRICT, UNIT, frozenset({PERSON}), status, closed_at)


def actor(role: Role, community: int) -> Actor:
    """Somebody who holds exactly this role, in this community."""
    if role is Role.BOT:
        return BOT
    if role is Role.REPORTER:
        return Actor(PERSON if community == OWN else 7, "r")
    narrowing = {Role.UNIT: {"unit": UNIT}, Role.MERCHANT: {"district": DISTRICT}}.get(role, {})
    return Actor(8, "x", frozenset({Standing(role, community, **narrowing)}))


def test_the_table_has_every_act_and_nothing_else() -> None:
    assert set(ACTS) == set(WRITTEN) == set(Act)


@pytest.mark.parametrize("community", [OWN, OTHER])
@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("act", list(Act))
@pytest.mark.parametrize("status", list(Status))
def test_an_act_is_allowed_exactly_where_the_domain_says(status: Status, act: Act, role: Role, community: int) -> None:
    who, moves = WRITTEN[act]
    own = community == OWN or role is Role.BOT
    verdict = may(actor(role, community), act, matter(status), NOW)
    if role not in who or not own:
        assert verdict is Refusal.NOT_YOURS
    elif status not in moves:
        assert verdict is Refusal.LATE
    else:
        assert verdict is None
        assert ACTS[act].moves[status] == moves[status]


def test_every_reachable_status_is_reached_and_every_open_one_has_a_way_out() -> None:
    reached = {target for _, moves in WRITTEN.values() for start, target in moves.items() if start != target}
    assert reached == set(Status) - {D}
    for status in OPEN:
        assert any(ACTS[act].moves.get(status, status) != status for act in Act), status


def test_a_unit_acts_only_on_what_it_has() -> None:
    stranger = Actor(8, "x", frozenset({Standing(Role.UNIT, OWN, unit=OTHER_UNIT)}))
    assert may(stranger, Act.ACCEPT, matter(P), NOW) is Refusal.NOT_YOURS
    assert not roles(stranger, matter(P))


def test_a_unit_without_a_unit_acts_on_nothing() -> None:
    nobody = Actor(8, "x", frozenset({Standing(Role.UNIT, OWN)}))
    unassigned = Matter(OWN, DISTRICT, None, frozenset(), F)
    assert not roles(nobody, unassigned)


def test_a_merchant_speaks_only_for_the_own_district() -> None:
    neighbour = Actor(8, "x", frozenset({Standing(Role.MERCHANT, OWN, district=OTHER_DISTRICT)}))
    assert may(neighbour, Act.SAY_FIXED, matter(R), NOW) is Refusal.NOT_YOURS


def test_nobody_becomes_the_bot_by_claiming_its_number() -> None:
    assert may(Actor(0, ""), Act.FILE, matter(D), NOW) is Refusal.NOT_YOURS
    forged = Actor(5, "x", frozenset({Standing(Role.BOT, OWN), Standing(Role.REPORTER, OWN)}))
    assert not roles(forged, matter(D))


def test_a_place_is_made_safe_once() -> None:
    safe = Matter(OWN, DISTRICT, UNIT, frozenset(), A, safe=True)
    assert may(actor(Role.UNIT, OWN), Act.MAKE_SAFE, safe, NOW) is Refusal.LATE


def test_a_closed_incident_is_reopened_for_fourteen_days() -> None:
    def closed(days: float) -> Matter:
        return Matter(OWN, DISTRICT, UNIT, frozenset({PERSON}), C, NOW - timedelta(days=days))

    secretary = actor(Role.SECRETARY, OWN)
    assert may(secretary, Act.REOPEN, closed(14), NOW) is None
    assert may(secretary, Act.REOPEN, closed(14.01), NOW) is Refusal.LATE
    assert may(actor(Role.REPORTER, OWN), Act.ASK_REOPEN, closed(15), NOW) is Refusal.LATE


def test_whoever_is_nothing_may_nothing() -> None:
    for act in Act:
        for status in Status:
            assert may(Actor(9, "x"), act, matter(status), NOW) is Refusal.NOT_YOURS


def test_buttons_are_the_acts_that_the_table_allows() -> None:
    assert set(allowed({Role.UNIT}, matter(P), NOW)) == {
        Act.ACCEPT,
        Act.MAKE_SAFE,
        Act.RESOLVE,
        Act.RETURN,
        Act.COMMENT,
        Act.UNDO,
    }
    assert set(allowed({Role.SECRETARY}, matter(R), NOW)) == {Act.CONFIRM, Act.SEND_BACK, Act.COMMENT, Act.UNDO}
    assert allowed((), matter(P), NOW) == ()


def test_every_act_that_asks_for_a_reason_offers_some_or_comes_later() -> None:
    from bot.domain.acts import LATER

    for act, rule in ACTS.items():
        assert (act in REASONS) == (rule.reason and act not in LATER), act
