"""The life of an incident in lines: who, what, when."""

from collections.abc import Collection

from bot.domain.acts import Act
from bot.views.content import Screen, shorten
from bot.views.sentences import act_told
from storage.scenes import Scene

LINES = 12


INSIDE = ("secretary", "unit", "street")


def history_lines(screen: Screen, scene: Scene, hide: Collection[str] = (), outside: bool = False) -> list[str]:
    """The latest entries, oldest first, as HTML; people in the roles `hide` go unnamed.

    `outside`: for shops. What the office and the unit say among themselves is not theirs to read.
    """
    shown = [event for event in scene.events if not (outside and event.act == Act.COMMENT and event.role in INSIDE)]
    told = (act_told(screen.speech, event, screen.now, screen.zone, hide) for event in shown)
    entries = [screen.speech.say("{told}", told=shorten(each, 120)) for each in told]
    return (["…"] if len(entries) > LINES else []) + entries[-LINES:]
