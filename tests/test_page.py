"""The sandbox's page in a real browser: somebody with no token plays the whole alliance with a mouse and a finger."""

import contextlib
import io
import os
import re
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw
from playwright.async_api import Browser, Error, Locator, Page, async_playwright, expect

from bot.sandbox.server import Sandbox
from tests.town import LI, Town, town

WIDE = {"width": 1600, "height": 950}
PHONE = {"width": 390, "height": 844}
ASPHALT, BROKEN, MENDED = (120, 124, 130), (196, 40, 40), (40, 160, 70)
"""Colours of the pictures: found again in what the bot makes of them."""
UNIT_BUTTONS = ["接单", "已设警示", "已处置", "不归我管"]
PATIENCE = 12_000
"""Milliseconds; on two busy cores a card takes a few seconds."""
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--no-first-run",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture
def chromium() -> str:
    """Debian's chromium: without it these stories fail where they must be told (CI) and are left out elsewhere."""
    found = shutil.which("chromium", path=f"/usr/bin{os.pathsep}{os.environ.get('PATH', '')}")
    if found is None:
        missing = "there is no chromium here: apt-get install chromium"
        if os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)
    return found


@pytest.fixture(autouse=True)
def patience() -> Iterator[None]:
    expect.set_options(timeout=PATIENCE)
    yield
    expect.set_options(timeout=5_000)


class Visitor:
    """A page that somebody has open, and all it complained of."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints: list[str] = []
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", self._heard)
        page.on("dialog", lambda dialog: self.complaints.append(f"a dialog: {dialog.message}"))

    def _heard(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def pane(self, name: str) -> Locator:
        return self.page.get_by_test_id(f"pane-{name}")

    async def choose_files(self, pane: Locator, *files: Path) -> None:
        """Through the paper clip and the file chooser."""
        async with self.page.expect_file_chooser() as choosing:
            await pane.locator("label.attach").click()
        chooser = await choosing.value
        assert chooser.is_multiple()
        await chooser.set_files(list(files))
        await expect(pane.get_by_test_id("piece")).to_have_count(len(files))

    async def sample(self, pane: Locator, name: str) -> None:
        await pane.get_by_test_id("samples").click()
        await self.page.get_by_test_id(f"sample-{name}").click()

    async def write(self, pane: Locator, text: str) -> None:
        await pane.get_by_test_id("composer").fill(text)
        await pane.get_by_test_id("send").click()
        await expect(pane.get_by_test_id("composer")).to_have_value("")

    async def shown(self, photo: Locator) -> Image.Image:
        """The picture as the browser got it."""
        image = photo.locator("img")
        await expect(image).to_have_js_property("complete", True)
        assert await image.evaluate("image => image.naturalWidth") > 0
        answer = await self.page.request.get(str(await image.evaluate("image => image.src")))
        return Image.open(io.BytesIO(await answer.body())).convert("RGB")


@contextlib.asynccontextmanager
async def visit(chromium: str, base: str, home: Path, **context: Any) -> AsyncIterator[Visitor]:
    """Open the page in Chinese; a story that fails leaves a picture of what was seen last."""
    async with async_playwright() as playwright:
        browser: Browser = await playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        page = await (await browser.new_context(locale="zh-CN", **context)).new_page()
        visitor = Visitor(page)
        try:
            await page.goto(f"{base}/")
            await expect(visitor.pane("district").get_by_test_id("chat").locator("option")).not_to_have_count(0)
            yield visitor
        except BaseException:
            with contextlib.suppress(Error):
                await page.screenshot(path=home / "page.png")
            raise
        finally:
            await browser.close()


def said(pane: Locator, text: str | re.Pattern[str]) -> Locator:
    return pane.get_by_test_id("message").filter(has_text=text)


def button(within: Locator, label: str) -> Locator:
    return within.get_by_test_id("button").filter(has_text=re.compile(f"^{label}$"))


def drawn(path: Path, colour: tuple[int, int, int]) -> Path:
    """A picture of a cover in the street."""
    image = Image.new("RGB", (900, 680), ASPHALT)
    ImageDraw.Draw(image).ellipse((150, 40, 750, 640), fill=colour, outline=(30, 30, 30), width=14)
    image.save(path, quality=88)
    return path


def like(image: Image.Image, colour: tuple[int, int, int], left: float, right: float) -> bool:
    """Whether much of the part between `left` and `right` (of its width) has the colour."""
    width, height = image.size
    part = image.crop((int(width * left), 0, int(width * right), height)).resize((40, 40))
    near = [each for each in part.getdata() if max(abs(one - other) for one, other in zip(each, colour, strict=True)) < 40]
    return len(near) > 0.2 * 1600


async def test_the_whole_story_is_played_on_the_page(chromium: str, tmp_path: Path) -> None:
    broken = [drawn(tmp_path / f"井盖-{n}.jpg", BROKEN) for n in (1, 2, 3)]
    mended = drawn(tmp_path / "修好.jpg", MENDED)
    async with town(tmp_path) as there, visit(chromium, there.base, tmp_path, viewport=WIDE) as visitor:
        page = visitor.page
        district, unit, office = (visitor.pane(name) for name in ("district", "unit", "office"))
        await expect(page).to_have_title("一针千线 · sandbox")

        # Three pictures at once are one album and one incident.
        await visitor.choose_files(district, *broken)
        await visitor.write(district, "自来水井盖被货车压裂，有学生路过")
        album = said(district, "有学生路过").first
        await expect(album.get_by_test_id("photo")).to_have_count(3)
        await expect(album.get_by_test_id("reaction")).to_have_text(["👀"])
        card = said(unit, "状态：")
        await expect(card).to_contain_text(re.compile(r"SD-\d{4}-0001 上水井盖"))
        await expect(card).to_have_count(1)
        await expect(card).to_contain_text("关帝庙商圈")
        await expect(card).to_contain_text("自来水井盖被货车压裂，有学生路过")
        await page.screenshot(path="/tmp/pg/1-card.png")
        await page.wait_for_timeout(4000)
        await page.screenshot(path="/tmp/pg/1-card-b.png")
        await expect(card.get_by_test_id("button")).to_have_text(UNIT_BUTTONS)
        line = said(district, re.compile(r"SD-\d{4}-0001 上水井盖"))
        await expect(line).to_contain_text("水务公司 · 已派遣")

        await button(card, "接单").click()
        await page.wait_for_timeout(600)
        await page.screenshot(path="/tmp/pg/2-accept.png")
        await expect(page.get_by_test_id("toast")).to_contain_text("接单")
        await expect(card).to_contain_text("状态：处置中")
        await expect(line).to_contain_text("水务公司 · 处置中")

        await page.get_by_test_id("clock-1h").click()
        await page.wait_for_timeout(2500)
        await page.screenshot(path="/tmp/pg/3-reminded.png")
        await page.get_by_test_id("clock-1h").click()
        await page.wait_for_timeout(2500)
        await page.screenshot(path="/tmp/pg/3b-reminded.png")

        await card.hover()
        await card.get_by_test_id("reply").click()
        await visitor.choose_files(unit, mended)
        await page.screenshot(path="/tmp/pg/4-reply.png")
        await unit.get_by_test_id("send").click()
        await page.wait_for_timeout(2500)
        await page.screenshot(path="/tmp/pg/5-resolved.png")
        await button(office, "确认结案").click()
        await page.wait_for_timeout(2500)
        await page.screenshot(path="/tmp/pg/6-closed.png")
        await page.emulate_media(color_scheme="dark")
        await page.wait_for_timeout(500)
        await page.screenshot(path="/tmp/pg/7-dark.png")
        for pane in ("district","unit","office","private"):
            print(pane, await visitor.pane(pane).locator(".timeline").inner_text())
        assert visitor.complaints == []
