"""Which view shows which kind of post. A new kind of message about an incident is a row here."""

from collections.abc import Callable, Mapping

from bot.views.content import Screen, Shape
from bot.views.group_line import group_line, prompt, reaction
from bot.views.office_card import office_card
from bot.views.reminder import reminder
from bot.views.sheet import sheet
from bot.views.unit_card import album, pictures, unit_card
from storage.scenes import Scene
from storage.tables import Post

CARDS: Mapping[str, Callable[[Screen, Scene, Post], Shape]] = {
    "card": unit_card,
    "album": album,
    "pictures": pictures,
    "line": group_line,
    "office": office_card,
    "sheet": sheet,
    "prompt": prompt,
    "reminder": reminder,
    "reaction": reaction,
}
