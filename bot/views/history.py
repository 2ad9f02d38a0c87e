"""The life of an incident in lines: who, what, when."""

from collections.abc import Collection

from bot.domain.acts import Act
from bot.views.content import TEXT, Screen, shorten, visible
from bot.views.sentences import act_told
from storage.scenes import Scene

LINES = 12


INSIDE = ("secretary", "unit", "street")


def history_lines(
    screen: Screen, scene: Scene, hide: Collection[str] = (), outside: bool = False, room: int = TEXT
) -> list[str]:
    """The latest entries, oldest first, as HTML; people in the roles `hide` go unnamed.

    `outside`: for shops. What the office and the unit say among themselves is not theirs to read. `room`: units that
    are left for them; where it is short the oldest are left out, or many words would hide what was done last.
    """
    shown = [event for event in scene.events if not (outside and event.act == Act.COMMENT and event.role in INSIDE)]
    told = (act_told(screen.speech, event, screen.now, screen.zone, hide) for event in shown)
    entries = [screen.speech.say("{told}", told=shorten(each, 120)) for each in told]
    kept = entries[-LINES:]
    while kept and sum(visible(each) + 1 for each in ("…", *kept)) > room:
        kept.pop(0)
    return (["…"] if len(entries) > len(kept) else []) + kept
