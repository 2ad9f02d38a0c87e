"""What the operators are told in private: as every message a row first, so only once the database takes one."""

from datetime import datetime, timedelta

from bot.domain.words import N_
from bot.services.desk import Desk
from bot.services.posting import add_notice
from storage.tables import Person


def was_away(desk: Desk, seconds: float) -> None:
    """The database had taken nothing for so long; while it lasts only the log and /readyz can say so."""
    since = desk.now - timedelta(seconds=seconds)
    tell_operators(
        desk,
        f"away:{int(since.timestamp())}",
        N_("The database took nothing for {minutes} min. What came in meanwhile is being done now; the log says why."),
        minutes=str(round(seconds / 60)),
    )


def was_restored(desk: Desk, made: datetime, held: int) -> None:
    """A backup from the moment `made` is in place, and this many messages wait."""
    tell_operators(
        desk,
        f"restored:{int(desk.now.timestamp())}",
        N_(
            "The database is a backup of {made} now. Messages that may have gone out already: {held}. They wait for "
            "python -m bot resume."
        ),
        made=f"{made.astimezone(desk.ground.zone):%Y-%m-%d %H:%M}",
        held=str(held),
    )


def another_polls(desk: Desk) -> None:
    """Another program takes this bot's updates. Said once a day, and to nobody who has never spoken to the bot."""
    for operator in desk.ground.operators:
        person = desk.session.get(Person, operator)
        if person is not None and person.started:
            sentence = N_(
                "Another program fetches this bot's messages with the same token, and what it takes never reaches me. "
                "Please stop it; I go on by myself then."
            )
            add_notice(desk, operator, "note", f"poller:{desk.now:%Y%m%d}", sentence=sentence, values={})


def tell_operators(desk: Desk, key: str, sentence: str, **values: str) -> None:
    """One sentence for each of them; `key` keeps it from being said twice."""
    for operator in desk.ground.operators:
        add_notice(desk, operator, "note", key, sentence=sentence, values=values)
