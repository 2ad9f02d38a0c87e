"""The life of an incident as one table: which act leads from where to where, and whose it is.

Buttons, checks, documentation and tests all read this table; nobody writes `if status ==` beside it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from bot.domain.words import N_


class Status(StrEnum):
    DRAFT = "draft"
    FILED = "filed"
    DISPATCHED = "dispatched"
    ACCEPTED = "accepted"
    RESOLVED = "resolved"
    CLOSED = "closed"
    DISMISSED = "dismissed"
    MERGED = "merged"
    VOID = "void"


class Role(StrEnum):
    BOT = "bot"
    REPORTER = "reporter"
    MERCHANT = "merchant"
    UNIT = "unit"
    SECRETARY = "secretary"
    STREET = "street"


class Act(StrEnum):
    FILE = "file"
    NOT_A_REPORT = "not_a_report"
    DISMISS = "dismiss"
    DISPATCH = "dispatch"
    ACCEPT = "accept"
    MAKE_SAFE = "make_safe"
    RETURN = "return"
    ASK_FOR_TIME = "ask_for_time"
    RESOLVE = "resolve"
    CONFIRM = "confirm"
    SEND_BACK = "send_back"
    REOPEN = "reopen"
    ASK_REOPEN = "ask_reopen"
    REASSIGN = "reassign"
    PARK = "park"
    MERGE = "merge"
    VOID = "void"
    SAY_FIXED = "say_fixed"
    SPLIT = "split"
    COMMENT = "comment"
    UNDO = "undo"


STATUS_NAMES: Mapping[Status, str] = {
    Status.DRAFT: N_("Draft"),
    Status.FILED: N_("Filed"),
    Status.DISPATCHED: N_("Dispatched"),
    Status.ACCEPTED: N_("In hand"),
    Status.RESOLVED: N_("To be checked"),
    Status.CLOSED: N_("Closed"),
    Status.DISMISSED: N_("Dismissed"),
    Status.MERGED: N_("Merged"),
    Status.VOID: N_("Void"),
}

OPEN = frozenset({Status.DRAFT, Status.FILED, Status.DISPATCHED, Status.ACCEPTED, Status.RESOLVED})
ENDED = frozenset(Status) - OPEN
WITH_UNIT = frozenset({Status.DISPATCHED, Status.ACCEPTED, Status.RESOLVED})


@dataclass(frozen=True)
class Rule:
    """One row: `moves` maps each status the act is allowed in to the status it leads to."""

    label: str
    moves: Mapping[Status, Status]
    roles: frozenset[Role]
    done: str
    """What the history says afterwards, in the past tense."""
    reason: bool = False
    """Whether the person chooses a reason first."""
    undoable: bool = False


def _stay(*statuses: Status) -> dict[Status, Status]:
    return {status: status for status in statuses}


def _to(target: Status, *sources: Status) -> dict[Status, Status]:
    return dict.fromkeys(sources, target)


_D, _F, _P, _A, _R, _C = (
    Status.DRAFT,
    Status.FILED,
    Status.DISPATCHED,
    Status.ACCEPTED,
    Status.RESOLVED,
    Status.CLOSED,
)
_BOT, _REPORTER, _UNIT, _SECRETARY = Role.BOT, Role.REPORTER, Role.UNIT, Role.SECRETARY

ACTS: Mapping[Act, Rule] = {
    Act.FILE: Rule(
        N_("File"),
        _to(_F, _D),
        frozenset({_BOT, _REPORTER, _SECRETARY}),
        N_("filed it as {what}"),
        undoable=True,
    ),
    Act.NOT_A_REPORT: Rule(
        N_("Not a report"),
        _to(Status.VOID, _D),
        frozenset({_BOT, _REPORTER, _SECRETARY}),
        N_("said it is not a report"),
        undoable=True,
    ),
    Act.DISMISS: Rule(
        N_("Dismiss"),
        _to(Status.DISMISSED, _D, _F),
        frozenset({_SECRETARY}),
        N_("dismissed it"),
        reason=True,
        undoable=True,
    ),
    Act.DISPATCH: Rule(
        N_("Dispatch"),
        _to(_P, _F),
        frozenset({_BOT, _SECRETARY}),
        N_("dispatched it to {what}"),
        undoable=True,
    ),
    Act.ACCEPT: Rule(N_("Accept"), _to(_A, _P), frozenset({_UNIT}), N_("accepted it"), undoable=True),
    Act.MAKE_SAFE: Rule(N_("Made safe"), _to(_A, _P, _A), frozenset({_UNIT}), N_("made the place safe"), undoable=True),
    Act.RESOLVE: Rule(N_("Done"), _to(_R, _P, _A), frozenset({_UNIT}), N_("says it is done"), undoable=True),
    Act.RETURN: Rule(
        N_("Not ours"),
        _to(_F, _P, _A),
        frozenset({_UNIT}),
        N_("said it is not theirs"),
        reason=True,
        undoable=True,
    ),
    Act.ASK_FOR_TIME: Rule(N_("More time"), _stay(_A), frozenset({_UNIT}), N_("asked for more time"), reason=True),
    Act.CONFIRM: Rule(N_("Confirm"), _to(_C, _R), frozenset({_SECRETARY}), N_("confirmed it"), undoable=True),
    Act.SEND_BACK: Rule(
        N_("Send back"), _to(_A, _R), frozenset({_SECRETARY}), N_("sent it back"), reason=True, undoable=True
    ),
    Act.REOPEN: Rule(N_("Reopen"), _to(_A, _C), frozenset({_SECRETARY}), N_("reopened it"), undoable=True),
    Act.ASK_REOPEN: Rule(N_("Ask to reopen"), _stay(_C), frozenset({_REPORTER}), N_("asked to reopen it")),
    Act.REASSIGN: Rule(
        N_("Reassign"),
        _to(_P, _F, _P, _A),
        frozenset({_SECRETARY}),
        N_("reassigned it to {what}"),
        undoable=True,
    ),
    Act.PARK: Rule(N_("Park"), _stay(_F, _P, _A), frozenset({_SECRETARY}), N_("parked it"), reason=True),
    Act.MERGE: Rule(
        N_("Merge"), _to(Status.MERGED, _D, _F, _P, _A), frozenset({_SECRETARY}), N_("merged it into {what}")
    ),
    Act.VOID: Rule(
        N_("Void"),
        _to(Status.VOID, _F, _P, _A),
        frozenset({_SECRETARY}),
        N_("voided it"),
        reason=True,
        undoable=True,
    ),
    # Below: answers and notes. They never change the status by themselves.
    Act.SAY_FIXED: Rule(N_("Fixed?"), _stay(_R), frozenset({_REPORTER, Role.MERCHANT}), N_("answered “{what}”")),
    Act.SPLIT: Rule(N_("Split"), _stay(_D, _F, _P), frozenset({_REPORTER, _SECRETARY}), N_("split it into two")),
    Act.COMMENT: Rule(
        N_("Comment"),
        _stay(*Status),
        frozenset({_REPORTER, Role.MERCHANT, _UNIT, _SECRETARY, Role.STREET}),
        N_("wrote"),
    ),
    Act.UNDO: Rule(
        N_("Undo"), _stay(*Status), frozenset({_REPORTER, _UNIT, _SECRETARY}), N_("took back the last step")
    ),
}

LATER: frozenset[Act] = frozenset({Act.ASK_FOR_TIME, Act.PARK, Act.MERGE})
"""Acts the table holds and the rights already know, whose buttons come with a later version."""

REOPEN_DAYS = 14
UNDO_SECONDS = 60
"""Counted both ways from the act: a clock that is set back by an hour gives nobody an hour to take a step back in."""

REASONS: Mapping[Act, Mapping[str, str]] = {
    Act.RETURN: {
        "owner": N_("Belongs to another unit"),
        "place": N_("Outside our area"),
        "none": N_("Nothing to be found there"),
        "private": N_("Private ground"),
    },
    Act.DISMISS: {
        "not_public": N_("Not a public matter"),
        "unclear": N_("Cannot be made out"),
        "known": N_("Already being dealt with"),
        "advert": N_("Advertising or chat"),
    },
    Act.SEND_BACK: {
        "not_fixed": N_("Not fixed"),
        "half": N_("Only half fixed"),
        "photo": N_("The photo does not show it"),
        "mess": N_("Site left untidy"),
    },
    Act.VOID: {
        "withdrawn": N_("Withdrawn by the reporter"),
        "mistake": N_("Filed by mistake"),
        "gone": N_("Settled by itself"),
    },
}

ANSWERS: Mapping[str, str] = {"yes": N_("Fixed"), "half": N_("Half"), "no": N_("Not fixed")}
