"""The life of an incident in lines: who, what, when."""

from collections.abc import Collection

from bot.views.content import Screen, shorten
from bot.views.sentences import act_told
from storage.scenes import Scene

LINES = 12


def history_lines(screen: Screen, scene: Scene, hide: Collection[str] = ()) -> list[str]:
    """The latest entries, oldest first, as HTML; people in the roles `hide` go unnamed."""
    say = screen.speech.say
    entries = [
        say("{told}", told=shorten(act_told(screen.speech, event, screen.now, screen.zone, hide), 120))
        for event in scene.events
    ]
    return (["…"] if len(entries) > LINES else []) + entries[-LINES:]
