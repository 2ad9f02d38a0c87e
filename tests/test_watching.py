"""`/metrics`: what is counted is what happened, what waits is told from the rows, and Prometheus reads it."""

import asyncio
import re
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from storage.store import StorageAway
from tests.town import GUANDI, PATIENCE, URBAN, WATER, WATER_MAN, ZHANG, words
from tests.walks import Walk, walk


async def page(here: Walk) -> dict[str, float]:
    """Sample → value, such as `relay_calls_total shown`."""
    port = re.search(r"WEB_PORT=(\d+)", (here.home / "config.env").read_text(encoding="utf-8"))
    assert port is not None
    async with here.http.get(f"http://127.0.0.1:{port.group(1)}/metrics") as answer:
        assert answer.status == 200 and answer.headers["Content-Type"].startswith("text/plain; version=")
        text = await answer.text()
    return {
        " ".join((sample.name, *(value for _, value in sorted(sample.labels.items())))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def until(here: Walk, name: str) -> None:
    """Wait until the page says one or more."""
    end = asyncio.get_running_loop().time() + PATIENCE
    while (found := await page(here))[name] < 1:
        assert asyncio.get_running_loop().time() < end, f"{name} stays {found[name]}"
        await asyncio.sleep(0.1)


async def test_the_page_counts_what_happened(tmp_path: Path) -> None:
    async with walk(tmp_path) as here:
        before = await page(here)
        assert before["relay_incidents_open dispatched"] == 0 and before["relay_troubles"] == 0
        assert before["relay_calls_total refused"] == before["relay_updates_total set_aside"] == 0
        card = await here.report()
        await here.press(WATER_MAN, WATER, card, "Accept")
        await here.sees(WATER, "In hand")
        await here.settled()
        after = await page(here)
        assert after["relay_updates_total taken"] - before["relay_updates_total taken"] == 2
        sent = [call for call in await here.calls() if re.match("send|edit|setMessageReaction", call["method"])]
        assert after["relay_calls_total shown"] >= len(sent) >= 4
        assert (after["relay_incidents_open accepted"], after["relay_incidents_open dispatched"]) == (1, 0)
        assert (after["relay_posts_due"], after["relay_posts_lag_seconds"], after["relay_posts_broken"]) == (0, 0, 0)
        assert after["relay_doubled_total"] == 0 and 0 <= after["relay_update_age_seconds"] < 60
        assert after["relay_storage_seconds_count write"] > before["relay_storage_seconds_count write"]
        assert after["relay_storage_seconds_bucket +Inf write"] == after["relay_storage_seconds_count write"]
        assert 0 < after["relay_storage_seconds_sum read"] < 60
        assert after["process_resident_memory_bytes"] > 10_000_000


async def test_what_waits_and_what_was_refused_is_told_from_the_rows(tmp_path: Path) -> None:
    async with walk(tmp_path) as here:
        await here.post("fault", chat=URBAN, method="sendPhoto", kind="reset_after", delivered=True, times=1)
        await here.post("fault", chat=WATER, kind="403:Forbidden: bot was kicked from the supergroup chat", times=50)
        await here.photo(ZHANG, GUANDI, "垃圾成堆", samples=("rubbish",))
        await here.sees(URBAN, "Exposed rubbish")
        await here.photo(ZHANG, GUANDI, "自来水井盖坏了", media_group=False)
        await until(here, "relay_posts_broken")
        await until(here, "relay_doubled_total")
        found = await page(here)
        assert found["relay_calls_total refused"] >= 1 and found["relay_calls_total unknown"] == 1
        await here.post("fault", chat=GUANDI, kind="500", times=1000)
        await here.photo(ZHANG, GUANDI, "路灯不亮", samples=("light",))
        await until(here, "relay_posts_due")
        await asyncio.sleep(1.1)
        assert (await page(here))["relay_incidents_open dispatched"] == 3
        assert not [each for each in await here.from_bot(GUANDI) if "路灯" in words(each)]


@pytest.mark.once
async def test_the_page_is_there_while_the_database_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_asked: object) -> None:
        raise StorageAway("gone")

    async with walk(tmp_path) as here:
        await here.report()
        await here.settled()
        monkeypatch.setattr("storage.measuring.due_posts", away)
        found = await page(here)
        assert found["relay_updates_total taken"] >= 1
        assert "relay_posts_lag_seconds" not in found, "nobody knows"
