"""`resume`: the operator's word about the messages that a restore holds. Knows no Telegram: a relay sends them."""

from collections import Counter
from collections.abc import Callable

from bot.clock import Clock
from bot.opening import answering, ground_of, open_database
from bot.services.binding import bound_name
from bot.services.desk import Desk
from bot.settings import Settings
from storage.restored import NOTE, Waiting, drop_held, release_held, waiting_since_restore
from storage.tables import Binding, Note

Say = Callable[[str], None]

MOST = 40
"""Lines of the list; more than that nobody reads."""


async def resume(settings: Settings, say: Say, drop: bool = False, look: bool = False) -> None:
    """List what waits since a restore, then let it be sent; or, with `drop`, take it for sent; or only `look`.

    Raises StartError when the database cannot be used.
    """
    store = await open_database(settings)
    ground, now = ground_of(settings), Clock().now()
    try:
        with answering(settings):
            for line in await store.read(lambda session: _listed(Desk(session, ground, now))):
                say(line)
            if look:
                return
            done = await store.write(drop_held if drop else lambda session: release_held(session, now))
    finally:
        await store.close()
    if done and drop:
        say(f"{done} messages are not sent; an incident's next change is shown anew")
    elif done:
        say(f"{done} messages are let go: a relay that runs sends them within a minute, else the next one that starts")


def _listed(desk: Desk) -> list[str]:
    waiting = waiting_since_restore(desk.session)
    if not waiting:
        return ["no message waits since a restore"]
    note = desk.session.get(Note, NOTE)
    told = [f"waiting since the restore of {note.value}:" if note else "waiting since a restore:"]
    # The same kind for the same incident in the same chat is one line: albums, reminders that follow each other.
    lines = Counter(_line(desk, each) for each in waiting)
    told += [f"  {line}{f' × {times}' if times > 1 else ''}" for line, times in list(lines.items())[:MOST]]
    if len(lines) > MOST:
        told.append(f"  … and {len(lines) - MOST} more")
    return told


def _line(desk: Desk, waiting: Waiting) -> str:
    about = f"{waiting.kind} {waiting.number}".rstrip()
    name = bound_name(desk, desk.session.get(Binding, waiting.chat_id))
    return f"{about} → {name} ({waiting.chat_id})" if name else f"{about} → {waiting.chat_id}"
