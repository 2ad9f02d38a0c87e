"""An incident's card on demand: the whole of it, in whatever chat somebody asks."""

from bot.domain.acts import Act
from bot.views import keyboard
from bot.views.content import CAPTION, TEXT, Button, Content, Gone, Screen, Shape, visible
from bot.views.history import history_lines
from bot.views.pieces import (
    deadline_lines,
    facts,
    first_picture,
    headline,
    map_row,
    pair_picture,
    refusals,
    status_line,
)
from bot.views.sentences import hidden_from
from storage.scenes import Scene
from storage.tables import Post

OUTSIDE = ("merchant", "reporter")


def sheet(screen: Screen, scene: Scene, post: Post) -> Shape:
    """An incident's card on demand (/i, a line of a list), with the acts of whoever's chat it is."""
    if not post.args.get("newest", True):
        return Gone(headline(screen, scene))
    menu, role = str(post.args.get("menu", "")), str(post.args.get("role", ""))
    lines = [headline(screen, scene), *facts(screen, scene), *deadline_lines(screen, scene)]
    lines.append(status_line(screen, scene))
    lines.append(refusals(screen, scene))
    hidden = hidden_from({"office": "secretary"}.get(role, role).split())
    # Sent with a picture it has a caption's length for ever.
    room = (CAPTION if post.form == "photo" else TEXT) - sum(visible(each) + 1 for each in lines)
    lines += history_lines(screen, scene, hidden, role in OUTSIDE, room)
    rows: tuple[tuple[Button, ...], ...] = ()
    if role == "office":
        rows = tuple(keyboard.reopen_row(screen, scene, Act.REOPEN)) or keyboard.office_rows(screen, scene, menu)
    elif role == "unit":
        rows = keyboard.unit_rows(screen, scene, menu)
    elif role == "reporter":
        rows = tuple(keyboard.reopen_row(screen, scene, Act.ASK_REOPEN))
    pictures = pair_picture(scene) if scene.afters else first_picture(scene)
    if role in ("office", "unit"):
        rows += keyboard.picture_row(scene, int(post.args.get("pictures", 1)))
    return Content("\n".join(filter(None, lines)), map_row(screen, scene) + rows, pictures)
