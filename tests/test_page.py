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
import pytest_asyncio
from PIL import Image, ImageDraw
from playwright.async_api import Browser, Error, Locator, Page, async_playwright, expect

from bot.sandbox.server import Sandbox
from tests.town import LI, ZHANG, town

WIDE = {"width": 1600, "height": 950}
PHONE = {"width": 390, "height": 844}
ASPHALT, BROKEN, MENDED = (120, 124, 130), (196, 40, 40), (40, 160, 70)
"""Colours of the pictures: found again in what the bot makes of them."""
COVER = "自来水井盖被货车压裂，有学生路过"
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


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    """Debian's chromium: without it these stories fail where they must be told (CI) and are left out elsewhere."""
    chromium = shutil.which("chromium", path=f"/usr/bin{os.pathsep}{os.environ.get('PATH', '')}")
    if chromium is None:
        missing = "there is no chromium here: apt-get install chromium"
        if os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield browser
        await browser.close()


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

    async def reply(self, message: Locator) -> None:
        await message.hover()
        await message.get_by_test_id("reply").click()

    async def shown(self, photo: Locator) -> Image.Image:
        """The picture as the browser got it."""
        image = photo.locator("img")
        await expect(image).to_have_js_property("complete", True)
        assert await image.evaluate("image => image.naturalWidth") > 0
        answer = await self.page.request.get(str(await image.evaluate("image => image.src")))
        return Image.open(io.BytesIO(await answer.body())).convert("RGB")


@contextlib.asynccontextmanager
async def visit(browser: Browser, base: str, home: Path, **context: Any) -> AsyncIterator[Visitor]:
    """Open the page in Chinese; a story that fails leaves a picture of what was seen last (page.png)."""
    opened = await browser.new_context(locale="zh-CN", **context)
    page = await opened.new_page()
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
        await opened.close()


def said(pane: Locator, text: str) -> Locator:
    """What a person wrote."""
    return pane.locator(".message:not(.from-bot)").filter(has_text=text)


def told(pane: Locator, text: str | re.Pattern[str]) -> Locator:
    """What the bot wrote."""
    return pane.locator(".message.from-bot").filter(has_text=text)


def button(within: Locator, label: str) -> Locator:
    return within.get_by_test_id("button").filter(has_text=re.compile(f"^{label}$"))


async def place_of(node: Locator) -> float:
    """Pixels from the left edge."""
    return float(await node.evaluate("node => node.getBoundingClientRect().left"))


def drawn(path: Path, colour: tuple[int, int, int]) -> Path:
    """A picture of a cover in the street."""
    image = Image.new("RGB", (900, 680), ASPHALT)
    ImageDraw.Draw(image).ellipse((150, 40, 750, 640), fill=colour, outline=(30, 30, 30), width=14)
    image.save(path, quality=88)
    return path


def like(image: Image.Image, across: float) -> tuple[int, int, int]:
    """Which of the two covers is at this part of the picture's width, half way down."""
    found = image.getpixel((int(image.width * across), image.height // 2))
    return min(
        (BROKEN, MENDED), key=lambda colour: sum(abs(one - other) for one, other in zip(colour, found, strict=True))
    )


def before_and_after(image: Image.Image) -> bool:
    """Side by side."""
    return image.width > 1.8 * image.height and (like(image, 0.25), like(image, 0.75)) == (BROKEN, MENDED)


async def test_the_whole_story_is_played_on_the_page(browser: Browser, tmp_path: Path) -> None:
    broken = [drawn(tmp_path / f"井盖-{n}.jpg", BROKEN) for n in (1, 2, 3)]
    mended = drawn(tmp_path / "修好.jpg", MENDED)
    async with town(tmp_path) as there, visit(browser, there.base, tmp_path, viewport=WIDE) as visitor:
        page = visitor.page
        district, unit, office = (visitor.pane(name) for name in ("district", "unit", "office"))
        await expect(page).to_have_title("一针千线 · sandbox")

        # Three pictures at once are one album and one incident.
        await visitor.choose_files(district, *broken)
        await visitor.write(district, COVER)
        album = said(district, COVER)
        await expect(album.get_by_test_id("photo")).to_have_count(3)
        await expect(album.get_by_test_id("reaction")).to_have_text(["👀"])
        card = told(unit, "状态：").first
        await expect(card).to_contain_text(re.compile(r"🔴 SD-\d{4}-0001 上水井盖"))
        await expect(card).to_contain_text("📍 关帝庙商圈")
        await expect(card).to_contain_text(f"“{COVER}”")
        await expect(card).to_contain_text("状态：已派遣 · 水务公司")
        await expect(card.get_by_test_id("button")).to_have_text(["接单", "已设警示", "已处置", "不归我管"])
        assert like(await visitor.shown(card.get_by_test_id("photo")), 0.5) == BROKEN
        await expect(unit.get_by_test_id("photo")).to_have_count(3)
        line = told(district, re.compile(r"SD-\d{4}-0001 上水井盖"))
        await expect(line).to_contain_text("水务公司 · 已派遣")

        await button(card, "接单").click()
        await expect(page.get_by_test_id("toast")).to_contain_text("接单")
        await expect(card).to_contain_text("状态：处置中 · 水务公司")
        await expect(button(card, "接单")).to_have_count(0)
        await expect(line).to_contain_text("水务公司 · 处置中")

        # Nobody has put up a warning: the unit is reminded, and hears it once, however late it grows.
        reminder = told(unit, "还没设警示")
        await expect(reminder).to_have_count(0)
        hour = page.get_by_test_id("clock-1h")
        stood = await place_of(hour)
        await hour.click()
        await expect(reminder).to_have_count(1)
        await expect(told(office, "已经超时")).to_have_count(1)
        await expect(page.locator(".clock-wound")).to_have_text("已拨快 1 小时")
        assert abs(await place_of(hour) - stood) < 20, "the button stays under the finger"
        await hour.click()
        await expect(reminder).to_contain_text("已超时 1 小时")
        await expect(reminder).to_have_count(1)

        # A photo in reply to the card says done, and stops the reminders.
        await visitor.reply(card)
        await visitor.choose_files(unit, mended)
        await unit.get_by_test_id("send").click()
        await expect(card).to_contain_text("状态：待核查 · 水务公司")
        await expect(reminder).to_have_count(0)
        await expect(line.get_by_test_id("button")).to_have_text(["已修好", "修了一半", "没修好"])
        check = told(office, "水务公司说已处置，请核查")
        assert before_and_after(await visitor.shown(check.get_by_test_id("photo")))
        await expect(album.get_by_test_id("reaction")).to_have_text(["👀"])

        await button(check, "确认结案").click()
        await expect(line).to_contain_text("已结案，用时 2 小时")
        await expect(line).to_have_count(1)
        await expect(line.get_by_test_id("button")).to_have_count(0)
        assert before_and_after(await visitor.shown(line.get_by_test_id("photo")))
        await expect(album.get_by_test_id("reaction")).to_have_text(["👌"])
        await expect(card).to_contain_text("状态：已结案")
        await line.get_by_test_id("photo").click()
        await expect(page.get_by_test_id("viewer").locator("img")).to_be_in_viewport(ratio=1)
        await page.keyboard.press("Escape")
        await expect(page.get_by_test_id("viewer")).to_be_hidden()
        assert visitor.complaints == []


@pytest.mark.once
async def test_on_a_phone_a_question_is_for_its_author_and_what_is_no_report_leaves_nothing(
    browser: Browser, tmp_path: Path
) -> None:
    hand: dict[str, Any] = {"viewport": PHONE, "has_touch": True, "is_mobile": True, "device_scale_factor": 2}
    async with town(tmp_path) as there, visit(browser, there.base, tmp_path, **hand) as visitor:
        page = visitor.page
        district, unit = visitor.pane("district"), visitor.pane("unit")
        for name in ("unit", "office", "private", "district"):
            await page.get_by_test_id(f"tab-{name}").tap()
            await expect(page.locator(".pane:visible")).to_have_count(1)
            await expect(visitor.pane(name)).to_be_visible()
        await district.get_by_test_id("hint-close").tap()
        await expect(district.get_by_test_id("hint")).to_have_count(0)

        await visitor.sample(district, "bikes")
        await visitor.write(district, "新车到了")
        question = district.locator(".message.ephemeral")
        await expect(question).to_contain_text("仅你可见")
        await district.get_by_test_id("who").select_option(str(LI))
        await expect(said(district, "新车到了")).to_have_count(1)
        await expect(question).to_have_count(0)
        await district.get_by_test_id("who").select_option(str(ZHANG))
        await button(question, "不是上报").tap()
        await expect(question.get_by_test_id("button")).to_have_text(["撤回"])
        await expect(district.get_by_test_id("reaction")).to_have_count(0)
        await page.get_by_test_id("clock-15m").tap()
        await expect(question).to_have_count(0)
        await expect(district.get_by_test_id("message")).to_have_count(1)
        for name in ("unit", "office"):
            await page.get_by_test_id(f"tab-{name}").tap()
            await expect(visitor.pane(name).locator(".empty")).to_be_visible()

        # A report from the phone: the unit's tab has a dot until it is looked at.
        await page.get_by_test_id("tab-district").tap()
        await visitor.sample(district, "cover")
        await visitor.write(district, COVER)
        tab = page.get_by_test_id("tab-unit")
        await expect(tab).to_have_class(re.compile("unread"))
        await tab.tap()
        await expect(button(told(unit, "状态：已派遣"), "接单")).to_be_in_viewport()
        await expect(tab).not_to_have_class(re.compile("unread"))
        await button(unit, "接单").tap()
        await expect(told(unit, "状态：处置中")).to_have_count(1)
        assert await page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        await page.emulate_media(color_scheme="dark")
        assert visitor.complaints == []


@pytest.mark.once
async def test_the_first_thing_anybody_tries_works(browser: Browser, tmp_path: Path) -> None:
    """A sample, Enter: as the hint and the README say, with the words that come with the sample."""
    async with town(tmp_path) as there, visit(browser, there.base, tmp_path, viewport=WIDE) as visitor:
        district, unit = visitor.pane("district"), visitor.pane("unit")
        await visitor.sample(district, "cover")
        await district.get_by_test_id("composer").press("Enter")
        await expect(button(told(unit, "状态：已派遣"), "接单")).to_be_visible()
        await expect(district.get_by_test_id("composer")).to_have_value("")
        assert visitor.complaints == []


HOSTILE = (
    "自来水井盖破损 <script>alert(1)</script><img src=x onerror=alert(2)> &amp; & "
    "\u202eback to front \u200f\u200e "
    "</textarea><style>*{display:none}</style> javascript:alert(3) [a](javascript:alert(4)) *_`~|> "
    + "W" * 400
    + "很" * 200
)


async def test_hostile_words_stay_words(browser: Browser, tmp_path: Path) -> None:
    async with town(tmp_path) as there, visit(browser, there.base, tmp_path, viewport=WIDE) as visitor:
        page = visitor.page
        district, unit = visitor.pane("district"), visitor.pane("unit")
        await visitor.sample(district, "cover")
        await visitor.write(district, HOSTILE)
        assert await said(district, "W" * 400).locator(".words").inner_text() == HOSTILE
        card = told(unit, "状态：").first
        await expect(card).to_contain_text("<script>alert(1)</script><img src=x onerror=alert(2)> &amp; &")
        assert "\u202e" not in await card.inner_text(), "a quotation cannot turn the card's own words round"
        for size in (WIDE, PHONE):
            await page.set_viewport_size(size)
            await page.get_by_test_id("tab-unit").evaluate("tab => tab.click()")
            await expect(button(card, "接单")).to_be_in_viewport()
            await page.screenshot(path=f"/tmp/pg/h-{size['width']}.png")
            # Nothing of it became part of the page, and nothing is wider than its place.
            assert await page.locator(".timeline").locator("script, style, img[src=x], a").count() == 0
            for place in await page.locator("html, .timeline:visible, .bubble:visible").all():
                assert await place.evaluate("node => node.scrollWidth - node.clientWidth") <= 1
        await visitor.reply(card)
        await expect(unit.locator(".about-text")).to_be_in_viewport()
        await button(card, "接单").click()
        await expect(told(unit, "状态：处置中")).to_have_count(1)
        assert visitor.complaints == []


@pytest.mark.once
async def test_the_page_says_that_the_server_is_away_and_comes_back_by_itself(browser: Browser, tmp_path: Path) -> None:
    async with (
        contextlib.AsyncExitStack() as afterwards,
        town(tmp_path) as there,
        visit(browser, there.base, tmp_path, viewport=WIDE) as visitor,
    ):
        page, district, unit = visitor.page, visitor.pane("district"), visitor.pane("unit")
        lost, field = page.get_by_test_id("lost"), district.get_by_test_id("composer")
        await visitor.write(district, "在吗")
        await expect(said(district, "在吗")).to_have_count(1)
        await expect(lost).to_be_hidden()

        await there.sandbox.stop()
        await expect(lost).to_have_text("沙盒没有回应，正在重新连接…")
        await visitor.sample(district, "cover")
        await field.fill(COVER)
        await district.get_by_test_id("send").click()
        await expect(district.get_by_test_id("refusal")).to_have_text("沙盒没有回应，内容还在，稍后再发。")
        await expect(field).to_have_value(COVER)
        await expect(district.get_by_test_id("piece")).to_have_count(1)

        # Another server, and another world: the old one went with its process.
        again = Sandbox(limits=False)
        await again.start(port=int(there.base.rpartition(":")[2]))
        afterwards.push_async_callback(again.stop)
        await expect(lost).to_be_hidden()
        await expect(said(district, "在吗")).to_have_count(0)
        await district.get_by_test_id("send").click()
        await expect(told(unit, "状态：已派遣")).to_have_count(1)
        await expect(district.get_by_test_id("refusal")).to_be_hidden()
        assert [each for each in visitor.complaints if "ERR_" not in each] == []
