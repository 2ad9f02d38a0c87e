"""What somebody is told who presses or says an act: the choice it needs, the refusal, the undo."""

from datetime import timedelta
from typing import Any

import pytest

from bot.domain.acts import ANSWERS, LATER, REASONS, Act, Role, Status
from bot.domain.rights import Actor, Standing
from bot.services import acting
from bot.services.acting import Told
from bot.speech import Speech
from storage.tables import Incident, Unit
from tests.rules.bench import (
    GUANDI,
    GUANDI_CHAT,
    HOUR,
    LI,
    MINUTE,
    NEIGHBOUR,
    NOBODY,
    NOW,
    OTHER_UNIT,
    OWN,
    PICTURE,
    POWER,
    POWER_MAN,
    PROPERTY,
    REPORTER,
    SECRETARY,
    SPEECH,
    UNIT,
    WATER,
    WATER_MAN,
    ZHANG,
    Bench,
)

OLD = Told("This button is out of date.", alert=True)
NOT_YOURS = Told("This is not yours to do.", alert=True)
TOO_LATE_TO_UNDO = Told("Too late to undo: a step can be taken back for a minute, by whoever took it.", alert=True)


def press(bench: Bench, actor: Actor, incident: Incident, act: Act, choice: str = "") -> Told:
    return acting.act(bench.desk, actor, incident.ident, act, choice, SPEECH)


def unchanged(bench: Bench, incident: Incident, before: dict[str, Any], events: int = 0) -> bool:
    return bench.row(incident) == before and len(bench.events(incident)) == events


# Refusals


def test_an_incident_that_is_no_more_is_told(bench: Bench) -> None:
    assert acting.act(bench.desk, UNIT, 77, Act.ACCEPT, "", SPEECH) == Told("That incident does not exist any more.")


@pytest.mark.parametrize("act", [*sorted(LATER), Act.COMMENT])
def test_acts_that_no_button_says_are_out_of_date(bench: Bench, act: Act) -> None:
    incident = bench.incident(Status.ACCEPTED)
    before = bench.row(incident)
    for actor in (SECRETARY, UNIT, REPORTER):
        assert press(bench, actor, incident, act) == OLD
    assert unchanged(bench, incident, before)


def test_what_is_not_theirs_is_told_so_and_changes_nothing(bench: Bench) -> None:
    incident = bench.incident()
    before = bench.row(incident)
    for actor in (SECRETARY, REPORTER, NEIGHBOUR, NOBODY, Actor(0, "")):
        assert press(bench, actor, incident, Act.ACCEPT) == NOT_YOURS
    assert unchanged(bench, incident, before)


def test_who_comes_late_reads_who_was_faster(bench: Bench) -> None:
    incident = bench.incident(Status.RESOLVED)
    assert press(bench, SECRETARY, incident, Act.CONFIRM) == Told("Done: Confirm.")
    bench.session.flush()
    assert press(bench, SECRETARY, incident, Act.SEND_BACK, "half") == Told(
        "A little late: 10:00 Lin confirmed it.", alert=True
    )


def test_remarks_and_answers_made_nobody_late(bench: Bench) -> None:
    incident = bench.incident(Status.RESOLVED)
    bench.event(incident, "accept", at=NOW - HOUR)
    for act in ("comment", "say_fixed", "edited", "caught"):
        bench.event(incident, act, LI, role="merchant")
    assert press(bench, UNIT, incident, Act.ACCEPT).text == "A little late: 09:00 Somebody accepted it."


def test_without_a_history_the_status_is_told(bench: Bench) -> None:
    assert press(bench, UNIT, bench.incident(Status.CLOSED), Act.ACCEPT) == Told(
        "Too late: it is Closed now.", alert=True
    )


def test_who_is_told_no_is_not_told_names_that_are_not_theirs_to_know(bench: Bench) -> None:
    incident = bench.incident(Status.CLOSED)
    bench.event(incident, "resolve", WATER_MAN, actor="Wei")
    assert press(bench, REPORTER, incident, Act.SAY_FIXED, "yes").text == "A little late: 10:00 unit says it is done."
    assert press(bench, UNIT, incident, Act.ACCEPT).text == "A little late: 10:00 Wei says it is done."


def test_they_are_told_in_their_own_language(bench: Bench) -> None:
    incident = bench.incident(Status.CLOSED)
    told = acting.act(bench.desk, NOBODY, incident.ident, Act.ACCEPT, "", Speech("zh"))
    assert told.text and told.text != NOT_YOURS.text


# Acts without a choice


@pytest.mark.parametrize(
    ("actor", "act", "status", "end", "told"),
    [
        (UNIT, Act.ACCEPT, Status.DISPATCHED, "accepted", "Done: Accept."),
        (UNIT, Act.MAKE_SAFE, Status.DISPATCHED, "accepted", "Done: Made safe."),
        (SECRETARY, Act.CONFIRM, Status.RESOLVED, "closed", "Done: Confirm."),
        (SECRETARY, Act.REOPEN, Status.CLOSED, "accepted", "Done: Reopen."),
        (REPORTER, Act.NOT_A_REPORT, Status.DRAFT, "void", "Done: Not a report."),
    ],
)
def test_one_tap_is_enough(bench: Bench, actor: Actor, act: Act, status: Status, end: str, told: str) -> None:
    incident = bench.incident(status)
    assert press(bench, actor, incident, act, "anything") == Told(told)
    entry = bench.last(incident)
    assert (incident.status, entry.act, entry.actor_id, entry.actor) == (end, act, actor.user_id, actor.name)
    assert (entry.reason, entry.what) == ("", "")


def test_the_role_is_the_one_nearest_to_the_work(bench: Bench) -> None:
    everything = frozenset({
        Standing(Role.UNIT, OWN, unit=WATER), Standing(Role.SECRETARY, OWN), Standing(Role.STREET, OWN),
        Standing(Role.MERCHANT, OWN, district=GUANDI),
    })  # fmt: skip
    person = Actor(ZHANG, "All", everything)
    acts = [(Act.ACCEPT, Status.DISPATCHED, "", "unit"), (Act.DISMISS, Status.FILED, "advert", "secretary")]
    acts += [(Act.FILE, Status.DRAFT, "road", "secretary"), (Act.SAY_FIXED, Status.RESOLVED, "yes", "reporter")]
    for number, (act, status, choice, role) in enumerate(acts):
        incident = bench.incident(status, number=None if act is Act.FILE else f"OW-2025-{number}")
        press(bench, person, incident, act, choice)
        assert next(event.role for event in bench.events(incident) if event.act == act) == role
    resolved = bench.incident(Status.RESOLVED, number="OW-2025-9")
    press(bench, NEIGHBOUR, resolved, Act.SAY_FIXED, "yes")
    assert bench.last(resolved).role == "merchant"


# Acts that take a reason


@pytest.mark.parametrize(
    ("actor", "act", "status"),
    [
        (UNIT, Act.RETURN, Status.ACCEPTED),
        (SECRETARY, Act.DISMISS, Status.FILED),
        (SECRETARY, Act.SEND_BACK, Status.RESOLVED),
        (SECRETARY, Act.VOID, Status.DISPATCHED),
    ],
)
def test_a_reason_is_asked_for_and_kept(bench: Bench, actor: Actor, act: Act, status: Status) -> None:
    incident = bench.incident(status)
    before = bench.row(incident)
    for choice in ("", "because"):
        assert press(bench, actor, incident, act, choice) == Told(menu=str(act))
    assert unchanged(bench, incident, before)
    reason = next(iter(REASONS[act]))
    assert press(bench, actor, incident, act, reason).text.startswith("Done: ")
    assert bench.last(incident).reason == reason


# Filing


def test_a_category_is_asked_for_and_files(bench: Bench) -> None:
    draft = bench.incident(Status.DRAFT)
    assert press(bench, REPORTER, draft, Act.FILE, "a hole") == Told(menu="file")
    assert draft.status == "draft"
    assert press(bench, REPORTER, draft, Act.FILE, "cover.water") == Told("Thank you. It is OW-2026-0001 now.")
    filed, dispatched = bench.events(draft)
    assert (filed.act, filed.what, filed.role, filed.actor_id) == ("file", "cover.water", "reporter", ZHANG)
    assert (dispatched.act, dispatched.actor_id, dispatched.unit_id) == ("dispatch", 0, WATER)


def test_the_secretary_reads_the_number_she_filed_it_under(bench: Bench) -> None:
    draft = bench.incident(Status.DRAFT)
    assert press(bench, SECRETARY, draft, Act.FILE, "cover.water") == Told("Filed as OW-2026-0001.")
    assert bench.events(draft)[0].role == "secretary"


# Sending


def test_a_unit_is_asked_for_and_gets_it(bench: Bench) -> None:
    filed = bench.incident(Status.FILED)
    before = bench.row(filed)
    for choice in ("", "power", "7777", str(OTHER_UNIT), "-1"):
        assert press(bench, SECRETARY, filed, Act.DISPATCH, choice) == Told(menu="dispatch")
    assert unchanged(bench, filed, before)
    assert press(bench, SECRETARY, filed, Act.DISPATCH, str(POWER)) == Told("Sent to Power Co.")
    entry = bench.last(filed)
    assert (entry.act, entry.what, entry.unit_id, entry.role, entry.actor_id) == (
        "dispatch", "Power Co", POWER, "secretary", SECRETARY.user_id,
    )  # fmt: skip


def test_a_unit_at_rest_gets_nothing(bench: Bench) -> None:
    bench.session.get_one(Unit, PROPERTY).active = False
    bench.session.flush()
    filed = bench.incident(Status.FILED)
    assert press(bench, SECRETARY, filed, Act.DISPATCH, str(PROPERTY)) == Told(menu="dispatch")


def test_reassigning_goes_to_another_unit_and_not_to_the_same(bench: Bench) -> None:
    incident = bench.incident(Status.ACCEPTED)
    before = bench.row(incident)
    assert press(bench, SECRETARY, incident, Act.REASSIGN, "") == Told(menu="reassign")
    assert press(bench, SECRETARY, incident, Act.REASSIGN, str(WATER)) == Told(
        "It is with Water Co already.", alert=True
    )
    assert unchanged(bench, incident, before)
    assert press(bench, SECRETARY, incident, Act.REASSIGN, str(POWER)) == Told("Sent to Power Co.")
    assert bench.last(incident).act == "reassign"


def test_a_unit_that_had_it_before_may_get_it_again(bench: Bench) -> None:
    filed = bench.incident(Status.FILED, unit_id=WATER)
    assert press(bench, SECRETARY, filed, Act.DISPATCH, str(WATER)) == Told("Sent to Water Co.")


# Done


ASKS_FOR_PROOF = Told("Please reply to this card with a photo of the finished work. That counts as done.", alert=True)


def test_done_wants_a_picture(bench: Bench) -> None:
    incident = bench.incident(Status.ACCEPTED)
    bench.part(incident)
    before = bench.row(incident)
    assert press(bench, UNIT, incident, Act.RESOLVE) == ASKS_FOR_PROOF
    assert unchanged(bench, incident, before)
    bench.part(incident, "after")
    assert press(bench, UNIT, incident, Act.RESOLVE) == Told("Thank you. The secretary will check it.")
    assert (incident.status, bench.last(incident).role, bench.last(incident).actor_id) == (
        "resolved", "unit", WATER_MAN,
    )  # fmt: skip


def test_where_no_picture_is_wanted_the_button_is_enough(bench: Bench) -> None:
    bench.community(proof="optional")
    incident = bench.incident()
    assert press(bench, UNIT, incident, Act.RESOLVE) == Told("Thank you. The secretary will check it.")


@pytest.mark.parametrize("act", ["dispatch", "reassign", "send_back", "reopen"])
def test_a_picture_from_before_proves_nothing(bench: Bench, act: str) -> None:
    incident = bench.incident(Status.ACCEPTED)
    bench.part(incident, "after", at=NOW - 2 * MINUTE)
    bench.event(incident, act, at=NOW - MINUTE)
    assert press(bench, UNIT, incident, Act.RESOLVE) == ASKS_FOR_PROOF
    bench.part(incident, "after", at=NOW - MINUTE)
    assert acting.fresh_proof(bench.desk, incident)


def test_without_a_history_any_after_picture_since_it_began_counts(bench: Bench) -> None:
    incident = bench.incident(Status.ACCEPTED)
    bench.event(incident, "accept", at=NOW)
    bench.part(incident, "after", at=incident.created_at - MINUTE)
    assert not acting.fresh_proof(bench.desk, incident)
    bench.part(incident, "after", at=incident.created_at)
    assert acting.fresh_proof(bench.desk, incident)


# Answers


def test_an_answer_is_noted_and_may_be_changed(bench: Bench) -> None:
    incident = bench.incident(Status.RESOLVED, rework=1)
    thanks = Told("Thank you, the secretary sees it.")
    assert press(bench, NEIGHBOUR, incident, Act.SAY_FIXED, "perhaps") == OLD
    assert press(bench, NEIGHBOUR, incident, Act.SAY_FIXED, "yes") == thanks
    assert press(bench, NEIGHBOUR, incident, Act.SAY_FIXED, "yes") == Told("Noted already, thank you.")
    assert press(bench, REPORTER, incident, Act.SAY_FIXED, "half") == thanks
    assert press(bench, NEIGHBOUR, incident, Act.SAY_FIXED, "no") == thanks
    assert bench.answers(incident) == {(LI, 1): "no", (ZHANG, 1): "half"}
    assert [(event.act, event.what, event.role) for event in bench.events(incident)] == [
        ("say_fixed", "yes", "merchant"),
        ("say_fixed", "half", "reporter"),
        ("say_fixed", "no", "merchant"),
    ]
    assert set(ANSWERS) == {"yes", "half", "no"} and incident.status == "resolved"


def test_an_answer_says_when_it_was_given_last(bench: Bench) -> None:
    from storage.tables import Answer

    incident = bench.incident(Status.RESOLVED)
    press(bench, NEIGHBOUR, incident, Act.SAY_FIXED, "yes")
    bench.later(minutes=3)
    press(bench, NEIGHBOUR, incident, Act.SAY_FIXED, "no")
    bench.session.expire_all()
    assert bench.session.get_one(Answer, (incident.id, LI, 0)).at == NOW + 3 * MINUTE


def test_a_new_repair_asks_anew(bench: Bench) -> None:
    incident = bench.incident(Status.RESOLVED)
    press(bench, NEIGHBOUR, incident, Act.SAY_FIXED, "no")
    incident.reopened = 1
    assert press(bench, NEIGHBOUR, incident, Act.SAY_FIXED, "no").text == "Thank you, the secretary sees it."
    assert bench.answers(incident) == {(LI, 0): "no", (LI, 1): "no"}


# Splitting


def test_one_picture_cannot_be_split(bench: Bench) -> None:
    incident = bench.incident(Status.FILED)
    bench.part(incident)
    before = bench.row(incident)
    assert press(bench, REPORTER, incident, Act.SPLIT) == Told("There is only one picture in it.", alert=True)
    assert unchanged(bench, incident, before)


def test_the_last_of_two_pictures_becomes_a_matter_of_its_own(bench: Bench) -> None:
    incident = bench.incident()
    bench.part(incident)
    bench.part(incident, text="street light is out")
    assert press(bench, REPORTER, incident, Act.SPLIT) == Told("Split: the last picture is a matter of its own now.")
    entry = bench.last(incident)
    assert (entry.act, entry.actor_id, entry.role, entry.what) == ("split", ZHANG, "reporter", "OW-2026-0002")
    draft = bench.incident(Status.DRAFT, message_id=PICTURE + 9)
    bench.part(draft, message_id=PICTURE + 9)
    bench.part(draft, message_id=PICTURE + 10)
    press(bench, SECRETARY, draft, Act.SPLIT)
    assert (bench.last(draft).what, bench.last(draft).role) == ("", "secretary")


# Asking to reopen


def test_asking_twice_calls_once(bench: Bench) -> None:
    closed = bench.incident(Status.CLOSED)
    assert press(bench, REPORTER, closed, Act.ASK_REOPEN) == Told("Thank you, the secretary sees it.")
    assert press(bench, REPORTER, closed, Act.ASK_REOPEN) == Told("Noted already, thank you.")
    assert [(event.act, event.role, event.actor_id) for event in bench.events(closed)] == [
        ("ask_reopen", "reporter", ZHANG)
    ]


# Undo


def test_whoever_took_a_step_takes_it_back_for_a_minute(bench: Bench) -> None:
    incident = bench.incident()
    press(bench, UNIT, incident, Act.ACCEPT)
    bench.later(seconds=60)
    assert press(bench, UNIT, incident, Act.UNDO) == Told("Taken back.")
    assert incident.status == "dispatched"
    assert bench.last(incident).act == "undo"
    assert press(bench, UNIT, incident, Act.UNDO) == TOO_LATE_TO_UNDO


def test_after_a_minute_nobody_takes_it_back(bench: Bench) -> None:
    incident = bench.incident()
    press(bench, UNIT, incident, Act.ACCEPT)
    bench.later(seconds=60, milliseconds=1)
    assert press(bench, UNIT, incident, Act.UNDO) == TOO_LATE_TO_UNDO
    assert incident.status == "accepted"


def test_nobody_takes_back_anothers_step(bench: Bench) -> None:
    incident = bench.incident()
    colleague = Actor(POWER_MAN, "Colleague", UNIT.standings)
    assert press(bench, UNIT, incident, Act.UNDO) == TOO_LATE_TO_UNDO
    press(bench, UNIT, incident, Act.ACCEPT)
    for actor in (colleague, SECRETARY, REPORTER, NOBODY, Actor(0, "")):
        assert press(bench, actor, incident, Act.UNDO) == TOO_LATE_TO_UNDO
    assert incident.status == "accepted"


def test_what_somebody_else_did_since_stands(bench: Bench) -> None:
    incident = bench.incident()
    press(bench, UNIT, incident, Act.ACCEPT)
    press(bench, SECRETARY, incident, Act.VOID, "gone")
    assert press(bench, UNIT, incident, Act.UNDO) == TOO_LATE_TO_UNDO
    assert press(bench, SECRETARY, incident, Act.UNDO) == Told("Taken back.")
    assert incident.status == "accepted"


def test_what_the_relay_and_remarks_did_since_does_not_stand_in_the_way(bench: Bench) -> None:
    draft = bench.incident(Status.DRAFT)
    press(bench, REPORTER, draft, Act.FILE, "cover.water")
    for act in ("comment", "say_fixed", "edited", "caught"):
        bench.event(draft, act, LI, role="merchant")
    assert draft.status == "dispatched"
    assert press(bench, REPORTER, draft, Act.UNDO) == Told("Taken back.")
    assert draft.status == "draft"
    # Its author is asked again, and given time.
    assert bench.timers(draft)["answer"] == NOW + 5 * MINUTE


def test_only_a_draft_waits_for_an_answer(bench: Bench) -> None:
    incident = bench.incident()
    press(bench, UNIT, incident, Act.ACCEPT)
    press(bench, UNIT, incident, Act.UNDO)
    assert "answer" not in bench.timers(incident)


def test_a_right_that_was_lost_meanwhile_takes_nothing_back(bench: Bench) -> None:
    incident = bench.incident(Status.RESOLVED)
    press(bench, SECRETARY, incident, Act.CONFIRM)
    assert press(bench, Actor(SECRETARY.user_id, "Lin"), incident, Act.UNDO) == TOO_LATE_TO_UNDO
    merchant = Actor(SECRETARY.user_id, "Lin", NEIGHBOUR.standings)
    assert press(bench, merchant, incident, Act.UNDO) == TOO_LATE_TO_UNDO
    unit = Actor(SECRETARY.user_id, "Lin", UNIT.standings)
    assert press(bench, unit, incident, Act.UNDO) == TOO_LATE_TO_UNDO
    assert incident.status == "closed"
    assert press(bench, SECRETARY, incident, Act.UNDO) == Told("Taken back.")


def test_a_unit_that_gave_it_away_may_take_that_back(bench: Bench) -> None:
    incident = bench.incident(Status.ACCEPTED)
    press(bench, UNIT, incident, Act.RETURN, "owner")
    assert incident.unit_id is None
    assert press(bench, UNIT, incident, Act.UNDO) == Told("Taken back.")
    assert (incident.unit_id, incident.status) == (WATER, "accepted")


def test_the_picture_of_a_done_that_was_taken_back_proves_nothing_any_more(bench: Bench) -> None:
    incident = bench.incident(Status.ACCEPTED)
    earlier = bench.part(incident, "after", at=NOW - MINUTE)
    now = bench.part(incident, "after")
    press(bench, UNIT, incident, Act.RESOLVE)
    bench.later(seconds=20)
    assert press(bench, UNIT, incident, Act.UNDO) == Told("Taken back.")
    bench.session.flush()
    bench.session.expire_all()
    assert (earlier.role, now.role) == ("after", "remark")
    line = bench.posts(incident, "line", GUANDI_CHAT)[0]
    # Made when it was done, changed when that was taken back, and once more without the picture.
    assert line.wanted == 3


def test_what_else_is_taken_back_leaves_pictures_alone(bench: Bench) -> None:
    incident = bench.incident()
    after = bench.part(incident, "after")
    press(bench, UNIT, incident, Act.ACCEPT)
    press(bench, UNIT, incident, Act.UNDO)
    bench.session.expire_all()
    assert after.role == "after"


def test_a_step_from_before_the_last_three_is_past_taking_back(bench: Bench) -> None:
    incident = bench.incident()
    press(bench, UNIT, incident, Act.ACCEPT)
    for _ in range(2):
        bench.event(incident, "dispatch", 0, role="bot")
    assert press(bench, UNIT, incident, Act.UNDO) == Told("Taken back.")


def test_the_last_change_is_the_newest_that_is_no_remark(bench: Bench) -> None:
    incident = bench.incident()
    assert acting.last_event(bench.desk, incident) is None
    bench.event(incident, "accept", at=NOW - timedelta(minutes=2))
    wanted = bench.event(incident, "make_safe")
    bench.event(incident, "comment")
    found = acting.last_event(bench.desk, incident)
    assert found is not None and found.id == wanted.id
