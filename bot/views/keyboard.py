"""Buttons, derived from the table of acts: what a role may do now, and nothing else."""

from collections.abc import Iterable
from datetime import timedelta

from bot.domain.acts import ACTS, ANSWERS, LATER, REASONS, UNDO_SECONDS, Act, Role, Status
from bot.domain.categories import CATEGORIES
from bot.domain.rights import allowed
from bot.domain.words import N_
from bot.speech import Speech
from bot.views.content import ALBUM, SHOWN, Button, Screen
from bot.views.presses import Press, pack
from bot.views.sentences import category_name
from storage.scenes import Scene

Row = tuple[Button, ...]

# Answers to a question, or done by replying; they are no buttons on a card.
SPOKEN = frozenset({Act.COMMENT, Act.UNDO, Act.SAY_FIXED, Act.FILE, Act.ASK_REOPEN}) | LATER
STYLES = {
    Act.ACCEPT: "primary",
    Act.RESOLVE: "success",
    Act.CONFIRM: "success",
    Act.RETURN: "",
    Act.DISMISS: "danger",
    Act.VOID: "danger",
}


def act_button(speech: Speech, incident_id: int, act: Act, choice: str = "", text: str = "") -> Button:
    return Button(
        text or speech.tell(ACTS[act].label),
        pack(Press("act", incident_id, str(act), choice)),
        style=STYLES.get(act, ""),
    )


def menu_button(speech: Speech, incident_id: int, menu: str, text: str) -> Button:
    return Button(text, pack(Press("menu", incident_id, menu)))


def pairs(buttons: Iterable[Button], width: int = 2) -> list[Row]:
    row = tuple(buttons)
    return [row[at : at + width] for at in range(0, len(row), width)]


def unit_rows(screen: Screen, scene: Scene, menu: str) -> tuple[Row, ...]:
    """The acts of the unit that has it, or the reasons of the one it is choosing."""
    incident_id = scene.incident.ident
    rows = reasons_menu(screen.speech, incident_id, _open_yet(screen, scene, Role.UNIT, menu))
    if rows is None:
        rows = pairs(act_button(screen.speech, incident_id, act) for act in _acts(screen, scene, Role.UNIT))
    return (*rows, *undo_row(screen, scene, Role.UNIT))


def office_rows(screen: Screen, scene: Scene, menu: str) -> tuple[Row, ...]:
    """What the secretary is needed for first; the rest behind "More"."""
    speech, incident = screen.speech, scene.incident
    incident_id, menu = incident.ident, _open_yet(screen, scene, Role.SECRETARY, menu)
    rows = reasons_menu(speech, incident_id, menu)
    if rows is None and menu in (Act.REASSIGN, Act.DISPATCH):
        rows = [*unit_menu(speech, scene, Act(menu)), _back(speech, incident_id)]
    if rows is None and menu == Act.FILE:
        rows = [*category_menu(speech, incident_id, tuple(CATEGORIES)), _back(speech, incident_id)]
    if rows is None:
        rows = _more(screen, scene) if menu == "more" else _first(screen, scene)
    return (*rows, *undo_row(screen, scene, Role.SECRETARY))


def _open_yet(screen: Screen, scene: Scene, role: Role, menu: str) -> str:
    """The menu, unless it chooses for an act that meanwhile is over: somebody else was faster while it stood open."""
    over = menu in set(Act) and menu not in allowed({role}, scene.incident.matter, screen.now)
    return "" if over else menu


def _first(screen: Screen, scene: Scene) -> list[Row]:
    speech, incident = screen.speech, scene.incident
    incident_id = incident.ident
    more = menu_button(speech, incident_id, "more", speech.tell(N_("More")))
    match Status(incident.status):
        case Status.DRAFT:
            rows = category_menu(speech, incident_id, tuple(incident.likely[:4]))
            other = menu_button(speech, incident_id, "file", speech.tell(N_("Other kinds")))
            return [*rows, (other, act_button(speech, incident_id, Act.NOT_A_REPORT)), (more,)]
        case Status.FILED:
            return [*unit_menu(speech, scene, Act.DISPATCH), (more,)]
        case Status.RESOLVED:
            acts = (Act.CONFIRM, Act.SEND_BACK)
            return [tuple(act_button(speech, incident_id, act) for act in acts), (more,)]
        case Status.DISPATCHED | Status.ACCEPTED:
            reassign = menu_button(speech, incident_id, "reassign", speech.tell(ACTS[Act.REASSIGN].label))
            return [(reassign, more)]
        case Status.CLOSED:
            return reopen_row(screen, scene, Act.REOPEN) if incident.need == "reopen" else []
        case _:
            return []


def _more(screen: Screen, scene: Scene) -> list[Row]:
    speech, incident_id = screen.speech, scene.incident.ident
    shown = {Act.CONFIRM, Act.SEND_BACK, Act.DISPATCH, Act.NOT_A_REPORT, Act.REASSIGN}
    buttons = [
        act_button(speech, incident_id, act)
        for act in _acts(screen, scene, Role.SECRETARY)
        if act not in shown and (act is not Act.SPLIT or can_split(screen, scene))
    ]
    history = menu_button(speech, incident_id, "history", speech.tell(N_("History")))
    return [*pairs([*buttons, history]), _back(speech, incident_id)]


def reporter_rows(screen: Screen, scene: Scene, menu: str) -> tuple[Row, ...]:
    """The author's prompt: the likeliest kinds, all of them, or no report."""
    speech, incident = screen.speech, scene.incident
    incident_id = incident.ident
    if incident.status != Status.DRAFT:
        return undo_row(screen, scene, Role.REPORTER)
    if menu == "file":
        return (*category_menu(speech, incident_id, tuple(CATEGORIES)), _back(speech, incident_id))
    rows = category_menu(speech, incident_id, tuple(incident.likely[:4]))
    other = menu_button(speech, incident_id, "file", speech.tell(N_("Other kinds")))
    last = [other, act_button(speech, incident_id, Act.NOT_A_REPORT)]
    split = [(act_button(speech, incident_id, Act.SPLIT),)] if can_split(screen, scene) else []
    return (*rows, tuple(last), *split)


def group_rows(screen: Screen, scene: Scene) -> tuple[Row, ...]:
    """On the group's line: is it fixed, once the unit says so; split, while that can still be needed."""
    speech, incident = screen.speech, scene.incident
    incident_id = incident.ident
    if incident.status == Status.RESOLVED:
        answers = (
            act_button(speech, incident_id, Act.SAY_FIXED, key, speech.tell(text)) for key, text in ANSWERS.items()
        )
        return (tuple(answers),)
    return ((act_button(speech, incident_id, Act.SPLIT),),) if can_split(screen, scene) else ()


def reopen_row(screen: Screen, scene: Scene, act: Act) -> list[Row]:
    """One button while it may still be reopened: by the secretary, or for the reporter to ask for it."""
    role = Role.SECRETARY if act is Act.REOPEN else Role.REPORTER
    open_yet = act in allowed({role}, scene.incident.matter, screen.now)
    return [(act_button(screen.speech, scene.incident.ident, act),)] if open_yet else []


def can_split(screen: Screen, scene: Scene) -> bool:
    """Several pictures that did not come as one album, and nobody at work on it yet."""
    groups = {part.media_group_id or part.message_id for part in scene.parts if part.media and part.role == "report"}
    return len(groups) > 1 and Act.SPLIT in _acts(screen, scene, Role.REPORTER)


def unit_menu(speech: Speech, scene: Scene, act: Act) -> list[Row]:
    """One button a unit, the one that the route leads to first, those that refused it marked and last."""
    refused = set(scene.incident.refused_by)
    buttons = [
        act_button(
            speech, scene.incident.ident, act, str(unit.id), f"{unit.name} ✗" if unit.id in refused else unit.name
        )
        for unit in sorted(scene.units, key=lambda unit: (unit.id in refused, unit.id != scene.incident.suggested_id))
        if unit.id != scene.incident.unit_id
    ]
    return pairs(buttons)


def category_menu(speech: Speech, incident_id: int, keys: tuple[str, ...]) -> list[Row]:
    return pairs(
        act_button(speech, incident_id, Act.FILE, key, f"{CATEGORIES[key].icon} {_asked(speech, key)}")
        for key in keys
        if key in CATEGORIES
    )


def _asked(speech: Speech, key: str) -> str:
    """What somebody is asked about: a cover is a cover, before anybody knows that no unit owns it."""
    return speech.tell(N_("Manhole cover (whose?)")) if key == "cover.unknown" else category_name(speech, key)


def reasons_menu(speech: Speech, incident_id: int, menu: str) -> list[Row] | None:
    """The short list of reasons for the act `menu`, or None when it takes none."""
    reasons = REASONS.get(Act(menu)) if menu in set(Act) else None
    if reasons is None:
        return None
    buttons = (act_button(speech, incident_id, Act(menu), key, speech.tell(text)) for key, text in reasons.items())
    return [*pairs(buttons), _back(speech, incident_id)]


def picture_row(scene: Scene, seen: int) -> tuple[Row, ...]:
    """The next ten pictures of a report that has more than follow it by themselves; `seen` of them were shown."""
    if max(seen, SHOWN) >= scene.pictures:
        return ()
    label = f"📷 {seen + 1}–{min(seen + ALBUM, scene.pictures)}"
    return ((Button(label, pack(Press("more", scene.incident.ident, "", str(seen)))),),)


def undo_row(screen: Screen, scene: Scene, role: Role) -> tuple[Row, ...]:
    """One button for a minute, for whoever took the last step in this role."""
    last = next((event for event in reversed(scene.events) if event.actor_id and event.act in _CHANGES), None)
    if last is None or not last.undo or last.role != role:
        return ()
    if abs(screen.now - last.at) >= timedelta(seconds=UNDO_SECONDS):
        return ()
    return ((act_button(screen.speech, scene.incident.ident, Act.UNDO),),)


_CHANGES = frozenset(str(act) for act in Act) - {Act.COMMENT, Act.SAY_FIXED}


def _acts(screen: Screen, scene: Scene, role: Role) -> list[Act]:
    return [act for act in allowed({role}, scene.incident.matter, screen.now) if act not in SPOKEN]


def _back(speech: Speech, incident_id: int) -> Row:
    return (menu_button(speech, incident_id, "", speech.tell(N_("← Back"))),)
