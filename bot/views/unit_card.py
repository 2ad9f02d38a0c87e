"""What a unit's chat shows of an incident: the card, and behind it the rest of an album."""

from bot.domain.acts import WITH_UNIT, Role, Status
from bot.views import keyboard
from bot.views.content import SHOWN, Content, Gone, Screen, Shape
from bot.views.pieces import (
    deadline_lines,
    facts,
    first_picture,
    headline,
    last_remark,
    map_row,
    sent_back,
    status_line,
)
from storage.scenes import Scene
from storage.tables import Post


def unit_card(screen: Screen, scene: Scene, post: Post) -> Shape:
    """What a unit needs to go and mend it, and the buttons to say so."""
    incident = scene.incident
    undo = keyboard.undo_row(screen, scene, Role.UNIT)
    if incident.cards == post.seq and incident.unit_id is None and undo:
        # Just said to be somebody else's: the card stays for the minute in which that can be taken back.
        return Content("\n".join((headline(screen, scene), status_line(screen, scene))), undo, first_picture(scene))
    if incident.cards != post.seq or incident.unit_id is None or incident.status == Status.DRAFT:
        return Gone(headline(screen, scene))
    lines = [headline(screen, scene), *facts(screen, scene)]
    lines += deadline_lines(screen, scene)
    lines.append(status_line(screen, scene))
    if incident.status in (Status.DISPATCHED, Status.ACCEPTED):
        lines += sent_back(screen, scene)
    last = last_remark(screen, scene, without=("street",))
    if last:
        lines.append(last)
    rows = map_row(screen, scene) + keyboard.unit_rows(screen, scene, str(post.args.get("menu", "")))
    rows += keyboard.picture_row(scene, int(post.args.get("pictures", SHOWN)))
    return Content("\n".join(lines), rows, first_picture(scene))


def album(screen: Screen, scene: Scene, post: Post) -> Shape:
    """The rest of the pictures, behind their card; of very many the first ten."""
    incident = scene.incident
    rest = tuple(f"part:{part.id}" for part in scene.reports if not part.unreadable)[1:SHOWN]
    if incident.cards != post.seq or incident.status not in WITH_UNIT:
        return Gone(headline(screen, scene))
    return Content("", (), rest, album=True, silent=True)


def pictures(screen: Screen, scene: Scene, post: Post) -> Shape:
    """Ten more pictures, for whoever asked; they leave a unit's chat together with its card."""
    incident = scene.incident
    left = incident.cards != post.args.get("cards") or incident.status not in WITH_UNIT
    if post.args.get("role") == "unit" and left:
        return Gone(headline(screen, scene))
    return Content("", (), tuple(f"part:{part}" for part in post.args.get("parts", ())), album=True, silent=True)
