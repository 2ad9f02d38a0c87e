"""Who may act, look and bind: the table against the domain's, written by hand, and what it says of nobody: no."""

from datetime import timedelta
from itertools import product

import pytest

from bot.domain.acts import ACTS, Act, Role, Status
from bot.domain.rights import (
    BOT,
    PRIVATE,
    Actor,
    Chat,
    Forbidden,
    Matter,
    Refusal,
    Scope,
    Standing,
    allowed,
    demand,
    may,
    may_bind,
    may_choose,
    roles,
    scope,
    sees,
)
from tests.rules.bench import (
    GUANDI,
    LIN,
    NANSHI,
    NOW,
    OTHER,
    OWN,
    POWER,
    REPORTER,
    SECRETARY,
    SISTER,
    STREET,
    UNIT,
    WATER,
    ZHANG,
    ZHOU,
)
from tests.test_acts import WRITTEN

STREET_ACTOR = Actor(ZHOU, "Zhou", frozenset({Standing(Role.SECRETARY, STREET), Standing(Role.STREET, OWN)}))
NOBODY = Actor(9, "x")


def matter(status: Status = Status.ACCEPTED, **known: object) -> Matter:
    fields = {"community": OWN, "district": GUANDI, "unit": WATER, "reporters": frozenset({ZHANG}), "status": status}
    return Matter(**{**fields, **known})  # type: ignore[arg-type]


def standing(role: Role, community: int = OWN, **narrow: int) -> Actor:
    return Actor(8, "x", frozenset({Standing(role, community, **narrow)}))


HOLDERS = {
    Role.BOT: BOT,
    Role.REPORTER: Actor(ZHANG, "z"),
    Role.MERCHANT: standing(Role.MERCHANT, district=GUANDI),
    Role.UNIT: standing(Role.UNIT, unit=WATER),
    Role.SECRETARY: standing(Role.SECRETARY),
    Role.STREET: standing(Role.STREET),
}


def test_the_whole_table_is_the_domains() -> None:
    assert {act: (set(rule.roles), dict(rule.moves)) for act, rule in ACTS.items()} == WRITTEN


def test_one_role_may_exactly_what_the_domain_says() -> None:
    for role, status in product(HOLDERS, Status):
        now_allowed = allowed({role}, matter(status), NOW)
        wanted = [act for act in ACTS if role in WRITTEN[act][0] and status in WRITTEN[act][1]]
        assert list(now_allowed) == wanted, (role, status)
        for act in Act:
            verdict = may(HOLDERS[role], act, matter(status), NOW)
            if role not in WRITTEN[act][0]:
                assert verdict is Refusal.NOT_YOURS, (role, act, status)
            else:
                assert verdict is (None if act in wanted else Refusal.LATE), (role, act, status)


def test_roles_add_up() -> None:
    both = allowed([Role.UNIT, Role.SECRETARY], matter(Status.DISPATCHED), NOW)
    assert set(both) == {
        act for act in Act if WRITTEN[act][0] & {Role.UNIT, Role.SECRETARY} and Status.DISPATCHED in WRITTEN[act][1]
    }
    assert allowed((), matter(), NOW) == ()


def test_an_act_that_the_table_does_not_know_is_nobodys() -> None:
    for actor in (*HOLDERS.values(), NOBODY):
        assert may(actor, "paint", matter(), NOW) is Refusal.NOT_YOURS  # type: ignore[arg-type]


def test_a_role_is_held_in_its_own_community_alone() -> None:
    for role, actor in HOLDERS.items():
        assert roles(actor, matter()) == {role}
        elsewhere = matter(community=OTHER, reporters=frozenset())
        assert roles(actor, elsewhere) == ({Role.BOT} if role is Role.BOT else set()), role


def test_a_unit_and_a_district_narrow_what_a_role_reaches() -> None:
    assert roles(standing(Role.UNIT, unit=POWER), matter()) == set()
    assert roles(standing(Role.MERCHANT, district=NANSHI), matter()) == set()
    nowhere = matter(unit=None, district=None, reporters=frozenset())
    assert roles(standing(Role.UNIT), nowhere) == set()
    assert roles(standing(Role.MERCHANT), nowhere) == set()


def test_nobody_stands_for_the_relay_or_for_a_reporter() -> None:
    forged = Actor(8, "x", frozenset({Standing(Role.BOT, OWN), Standing(Role.REPORTER, OWN)}))
    assert roles(forged, matter()) == set()
    assert roles(Actor(0, ""), matter()) == set()
    assert roles(BOT, matter(community=OTHER)) == {Role.BOT}


def test_one_person_holds_all_roles_that_are_theirs() -> None:
    person = Actor(
        ZHANG, "z", frozenset({Standing(Role.SECRETARY, OWN), Standing(Role.MERCHANT, OWN, district=GUANDI)})
    )
    assert roles(person, matter()) == {Role.SECRETARY, Role.MERCHANT, Role.REPORTER}


def test_a_place_is_made_safe_once() -> None:
    assert may(UNIT, Act.MAKE_SAFE, matter(safe=True), NOW) is Refusal.LATE
    assert may(UNIT, Act.MAKE_SAFE, matter(), NOW) is None
    assert may(UNIT, Act.RESOLVE, matter(safe=True), NOW) is None
    assert Act.MAKE_SAFE not in allowed({Role.UNIT}, matter(safe=True), NOW)


def test_what_is_closed_is_reopened_for_fourteen_days_and_no_moment_longer() -> None:
    for actor, act in ((SECRETARY, Act.REOPEN), (REPORTER, Act.ASK_REOPEN)):
        for ago, verdict in (
            (timedelta(days=14), None),
            (timedelta(days=14, milliseconds=1), Refusal.LATE),
            (timedelta(0), None),
        ):
            closed = matter(Status.CLOSED, closed_at=NOW - ago)
            assert may(actor, act, closed, NOW) is verdict
            assert (act in allowed(roles(actor, closed), closed, NOW)) == (verdict is None)
    long_ago = NOW - timedelta(days=30)
    assert may(SECRETARY, Act.COMMENT, matter(Status.CLOSED, closed_at=long_ago), NOW) is None


def test_rows_are_written_only_where_it_was_allowed_and_in_a_role_that_is_held() -> None:
    demand(UNIT, Role.UNIT, Act.RESOLVE, matter(), NOW)
    demand(BOT, Role.BOT, Act.DISPATCH, matter(Status.FILED), NOW)
    for actor, role, act, status in (
        (UNIT, Role.UNIT, Act.CONFIRM, Status.RESOLVED),
        (UNIT, Role.SECRETARY, Act.RESOLVE, Status.ACCEPTED),
        (UNIT, Role.UNIT, Act.ACCEPT, Status.ACCEPTED),
        (Actor(0, ""), Role.BOT, Act.DISPATCH, Status.FILED),
    ):
        with pytest.raises(Forbidden):
            demand(actor, role, act, matter(status), NOW)
    # Held, but not a role of this act: a secretary who reported it herself files as either, never as a merchant.
    person = Actor(
        ZHANG, "z", frozenset({Standing(Role.SECRETARY, OWN), Standing(Role.MERCHANT, OWN, district=GUANDI)})
    )
    demand(person, Role.SECRETARY, Act.FILE, matter(Status.DRAFT), NOW)
    demand(person, Role.REPORTER, Act.FILE, matter(Status.DRAFT), NOW)
    with pytest.raises(Forbidden, match="file by merchant: not_yours"):
        demand(person, Role.MERCHANT, Act.FILE, matter(Status.DRAFT), NOW)
    with pytest.raises(Forbidden, match="accept by unit: late"):
        demand(UNIT, Role.UNIT, Act.ACCEPT, matter(Status.CLOSED), NOW)


def test_choices_are_for_those_whose_acts_have_cards() -> None:
    chosen = {role for role, actor in HOLDERS.items() if may_choose(actor, matter())}
    assert chosen == {Role.UNIT, Role.SECRETARY, Role.REPORTER}
    assert not may_choose(NOBODY, matter())


OFFICE_CHAT = Chat("office", OWN)
STREET_CHAT = Chat("office", STREET, below=frozenset({SISTER, OWN}))
UNIT_CHAT = Chat("unit", OWN, unit=WATER)
GROUP = Chat("district", OWN, district=GUANDI)


def test_a_chat_looks_through_what_is_its_own() -> None:
    assert scope(NOBODY, OFFICE_CHAT) == Scope((OWN,))
    assert scope(NOBODY, STREET_CHAT) == Scope((STREET, OWN, SISTER))
    assert scope(NOBODY, UNIT_CHAT) == Scope((OWN,), WATER)
    assert scope(SECRETARY, GROUP) is None
    assert scope(SECRETARY, None) is None
    assert scope(SECRETARY, Chat("unit", OWN)) is None
    assert scope(SECRETARY, Chat("attic", OWN)) is None


def test_alone_with_the_bot_a_secretary_looks_through_what_their_offices_would() -> None:
    assert scope(SECRETARY, PRIVATE) == Scope((OWN,))
    assert scope(STREET_ACTOR, PRIVATE) == Scope((STREET, OWN))
    for other in (UNIT, REPORTER, NOBODY, Actor(1, "operator", operator=True)):
        assert scope(other, PRIVATE) is None


def test_what_a_list_remembers_is_what_may_be_looked_through() -> None:
    assert Scope((1, 2), 3).as_args() == {"communities": [1, 2], "unit": 3}
    assert Scope((1,)).as_args() == {"communities": [1], "unit": None}


def test_an_incident_is_shown_only_where_it_belongs() -> None:
    one = matter()
    seen = {
        "office": sees(NOBODY, OFFICE_CHAT, one),
        "street": sees(NOBODY, STREET_CHAT, one),
        "secretary in the street's chat": sees(SECRETARY, STREET_CHAT, one),
        "unit": sees(NOBODY, UNIT_CHAT, one),
        "another unit": sees(NOBODY, Chat("unit", OWN, unit=POWER), one),
        "another unit, its reporter": sees(REPORTER, Chat("unit", OWN, unit=POWER), one),
        "merchant": sees(NOBODY, GROUP, one),
        "reporter in the group": sees(REPORTER, GROUP, one),
        "reporter in another group": sees(REPORTER, Chat("district", OWN, district=NANSHI), one),
        "merchant of another district": sees(NOBODY, Chat("district", OWN, district=NANSHI), one),
        "a district of nothing": sees(NOBODY, Chat("district", OWN), matter(district=None)),
        "reporter alone": sees(REPORTER, PRIVATE, one),
        "secretary alone": sees(SECRETARY, PRIVATE, one),
        "street's secretary alone": sees(STREET_ACTOR, PRIVATE, one),
        "anybody alone": sees(NOBODY, PRIVATE, one),
        "unit's person alone": sees(UNIT, PRIVATE, one),
        "another office": sees(NOBODY, Chat("office", OTHER), one),
        "another office, its reporter": sees(REPORTER, Chat("office", OTHER), one),
        "another community's unit": sees(NOBODY, Chat("unit", OTHER, unit=WATER), one),
        "a group of strangers": sees(REPORTER, None, one),
        "a secretary among strangers": sees(SECRETARY, None, one),
        "no kind of chat": sees(REPORTER, Chat("attic", OWN), one),
    }
    assert {name: role for name, role in seen.items() if role is not None} == {
        "office": Role.SECRETARY,
        "street": Role.STREET,
        "secretary in the street's chat": Role.SECRETARY,
        "unit": Role.UNIT,
        "merchant": Role.MERCHANT,
        "reporter in the group": Role.REPORTER,
        "reporter in another group": Role.REPORTER,
        "reporter alone": Role.REPORTER,
        "secretary alone": Role.SECRETARY,
        "street's secretary alone": Role.STREET,
    }


def test_a_secretary_who_reported_elsewhere_sees_that_as_its_reporter() -> None:
    elsewhere = matter(community=OTHER, reporters=frozenset({LIN}))
    assert sees(SECRETARY, PRIVATE, elsewhere) is Role.REPORTER
    assert sees(SECRETARY, OFFICE_CHAT, elsewhere) is None


def test_a_chat_is_bound_by_a_secretary_of_its_community_or_an_operator() -> None:
    operator = Actor(1, "o", operator=True)
    assert may_bind(operator) and may_bind(operator, OWN) and may_bind(operator, OTHER)
    assert may_bind(SECRETARY) and may_bind(SECRETARY, OWN)
    assert not may_bind(SECRETARY, OTHER)
    for nobody in (UNIT, REPORTER, NOBODY, BOT, standing(Role.STREET)):
        assert not may_bind(nobody) and not may_bind(nobody, OWN)


def test_keeping_the_program_running_is_no_right_to_an_incident() -> None:
    operator = Actor(1, "o", operator=True)
    for act, status in product(Act, Status):
        assert may(operator, act, matter(status), NOW) is Refusal.NOT_YOURS
    assert sees(operator, PRIVATE, matter()) is None


def test_a_secretary_is_one_in_their_own_community() -> None:
    assert SECRETARY.secretary_of(OWN) and not SECRETARY.secretary_of(OTHER)
    assert not standing(Role.STREET).secretary_of(OWN)
