"""What was set aside is done again: through the same handlers, without a word to Telegram, each update for itself."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiogram import Dispatcher

from bot import maintenance, retrying
from bot.services.desk import Desk
from bot.settings import Settings, load
from handlers.door import Door
from storage.tables import Note
from tests import databases
from tests.town import GUANDI, LIN, ZHANG, alliance, config

NOW = int(datetime.now(UTC).timestamp())


@pytest.fixture
async def settings(tmp_path: Path) -> Settings:
    """Nobody answers at the Bot API's address: a call would fail the replay."""
    alliance(tmp_path)
    found = load(config(tmp_path, "http://127.0.0.1:9"))
    await maintenance.apply(found, found.alliance_file, lambda _text: None)
    return found


@pytest.fixture
def said() -> list[str]:
    return []


def rows(settings: Settings, query: str) -> list[Any]:
    return databases.chosen().run(settings.data_dir.parent, query)


def set_aside(settings: Settings, update_id: int, raw: dict[str, Any]) -> None:
    """As the intake leaves it: the update whole, and marked as handled."""
    told = json.dumps({"update_id": update_id, **raw}).replace("'", "''")
    rows(settings, f"INSERT INTO failed_update VALUES ({update_id}, '{told}', 'ValueError: before', {NOW * 1000})")
    rows(settings, f"INSERT INTO handled VALUES ({update_id}, {NOW * 1000})")


def message(message_id: int, **fields: Any) -> dict[str, Any]:
    return {
        "message": {
            "message_id": message_id,
            "date": NOW,
            "chat": {"id": GUANDI, "type": "supergroup", "title": "关帝庙商圈"},
            "from": {"id": ZHANG, "is_bot": False, "first_name": "张师傅"},
            **fields,
        }
    }


def photo(message_id: int, caption: str) -> dict[str, Any]:
    sizes = [{"file_id": f"f{message_id}", "file_unique_id": f"u{message_id}", "width": 90, "height": 90}]
    return message(message_id, photo=sizes, caption=caption)


async def test_a_report_that_was_set_aside_becomes_an_incident(settings: Settings, said: list[str]) -> None:
    set_aside(settings, 7, photo(70, "自来水井盖坏了"))
    assert await retrying.retry(settings, said.append)
    assert said == ["update 7: handled", "all 1 updates were handled"]
    assert rows(settings, "SELECT chat_id, message_id FROM incident") == [(GUANDI, 70)]
    assert rows(settings, "SELECT count(*) FROM failed_update") == [(0,)]
    assert rows(settings, "SELECT update_id FROM handled") == [(7,)]
    said.clear()
    assert await retrying.retry(settings, said.append)
    assert said == ["no update is set aside"]


async def test_the_oldest_goes_first_and_what_fails_again_stays_with_its_new_error(
    settings: Settings, said: list[str]
) -> None:
    set_aside(settings, 9, photo(90, "路灯不亮"))
    set_aside(settings, 7, {"message": {"message_id": "no number"}})
    set_aside(settings, 8, photo(80, "自来水井盖坏了"))
    assert not await retrying.retry(settings, said.append)
    assert [each.partition(":")[0] for each in said[:3]] == ["update 7", "update 8", "update 9"]
    assert said[0].startswith("update 7: fails again: ValidationError")
    assert said[3] == "2 of 3 updates were handled, 1 still set aside"
    ((left, error),) = rows(settings, "SELECT update_id, error FROM failed_update")
    assert left == 7 and error.startswith("ValidationError") and "\n" not in error
    assert [row[0] for row in rows(settings, "SELECT message_id FROM incident ORDER BY id")] == [80, 90]


async def test_a_press_a_command_and_chatter_are_done_without_a_call(settings: Settings, said: list[str]) -> None:
    set_aside(settings, 1, message(10, text="大家早上好"))
    command = "/my@alliance_relay_bot"
    set_aside(
        settings,
        2,
        message(11, text=command, entities=[{"type": "bot_command", "offset": 0, "length": len(command)}]),
    )
    press = {
        "id": "5",
        "from": {"id": LIN, "is_bot": False, "first_name": "林书记"},
        "chat_instance": "1",
        "data": "nothing that is known",
        "message": message(12, text="x")["message"],
    }
    set_aside(settings, 3, {"callback_query": press})
    assert await retrying.retry(settings, said.append)
    assert said[-1] == "all 3 updates were handled"
    assert rows(settings, "SELECT count(*) FROM failed_update") == [(0,)]
    assert rows(settings, "SELECT count(*) FROM post WHERE kind = 'mine'") == [(1,)]


class Scripted(Dispatcher):
    """Handlers of the test's own."""

    def __init__(self, work: Callable[[Desk], None]) -> None:
        super().__init__(disable_fsm=True)

        @self.message()
        async def handle(_message: Any, door: Door) -> None:
            await door.do(work)


async def test_a_replay_that_fails_half_way_leaves_nothing_behind(
    settings: Settings, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def half(desk: Desk) -> None:
        desk.session.add(Note(key="half", value="x"))
        desk.session.flush()
        raise LookupError("123456789:AAE-canary_canary_canary_canary_can\nsecond line")

    set_aside(settings, 1, message(10, text="x"))
    monkeypatch.setattr(retrying, "dispatcher", lambda: Scripted(half))
    assert not await retrying.retry(settings, said.append)
    assert rows(settings, "SELECT count(*) FROM note WHERE key = 'half'") == [(0,)]
    assert rows(settings, "SELECT error FROM failed_update") == [("LookupError: <token> second line",)]
    assert said[0] == "update 1: fails again: LookupError: <token> second line"


async def test_of_two_that_retry_at_once_one_does_it(
    settings: Settings, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The row goes in the transaction that brings the effects: whoever comes second finds none."""

    def once(desk: Desk) -> None:
        desk.session.add(Note(key="done", value="x"))
        desk.session.flush()

    class Overtaken(Scripted):
        async def feed_update(self, bot: Any, update: Any, **more: Any) -> Any:
            await super().feed_update(bot, update, **{**more, "door": retrying._SecondDoor(**vars(more["door"]))})
            return await super().feed_update(bot, update, **more)

    set_aside(settings, 1, message(10, text="x"))
    monkeypatch.setattr(retrying, "dispatcher", lambda: Overtaken(once))
    assert await retrying.retry(settings, said.append)
    assert said == ["update 1: handled meanwhile", "all 1 updates were handled"]
