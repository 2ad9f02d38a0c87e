"""Every sentence is there in both languages, and what a reader sees is in one language only."""

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from string import Formatter
from zoneinfo import ZoneInfo

import pytest
from babel.messages.catalog import Message
from babel.messages.extract import extract_from_file
from babel.messages.pofile import read_po

from bot.domain.acts import ACTS, ANSWERS, REASONS, STATUS_NAMES, Act, Status
from bot.domain.categories import CATEGORIES
from bot.domain.deadlines import Clock
from bot.domain.metrics import measure
from bot.speech import CATALOGUES, LANGUAGES, Speech
from bot.views import help as helping
from bot.views import lists, office_card, reminder
from bot.views.cards import CARDS
from bot.views.content import Content, Gone, Menu, Screen, Shape
from bot.views.sentences import act_told, category_name, reason_name, span, status_name
from storage.scenes import Scene
from storage.tables import Answer, Community, District, Event, Incident, Part, Post, Unit

ROOT = Path(__file__).parent.parent
KEYWORDS = {"say": None, "tell": None, "N_": None}
PLACEHOLDER = re.compile(r"\{[^{}]*\}")
TAG = re.compile(r"</?\w+>")
LATIN_WORD = re.compile(r"[A-Za-z]{3,}")
HAN = re.compile(r"[\u3000-\u303f\u4e00-\u9fff\uff00-\uffef]")
HALF_WIDTH = re.compile(r"(?<=[\u4e00-\u9fff])[,:;?!()]|[,;?!()](?=[\u4e00-\u9fff])")
SAID_IN_LATIN = re.compile(r"/shop 店名, 地址|[A-Z]{1,4}-\d{4}-\d+|(?<![<\w])/\w+|python -m bot \w+|中文 / English")
"""Numbers, commands, what is typed on the server, the languages by their own names, a command's own comma."""


def _code() -> list[Path]:
    """Modules that speak in chats. The command line is English alone: a `say` there knows of no speech."""
    found = sorted((*ROOT.glob("bot/**/*.py"), *ROOT.glob("handlers/**/*.py")))
    return [path for path in found if ROOT / "bot" / "sandbox" not in path.parents and _speaks(path.read_text())]


def _speaks(code: str) -> bool:
    return "speech" in code or "N_(" in code


def _worded(sentence: str) -> bool:
    return bool(PLACEHOLDER.sub("", TAG.sub("", sentence)))


@cache
def said() -> Mapping[str, str]:
    """Every sentence in the code and where it is said; one that is a placeholder alone has nothing to translate."""
    found: dict[str, str] = {}
    for path in _code():
        for line, sentence, _, _ in extract_from_file("python", path, keywords=KEYWORDS):
            assert isinstance(sentence, str)
            if _worded(sentence):
                found.setdefault(sentence, f"{path.relative_to(ROOT)}:{line}")
    return found


@cache
def written() -> Mapping[str, Message]:
    """The Chinese catalogue."""
    with (CATALOGUES / "zh" / "LC_MESSAGES" / "relay.po").open("rb") as source:
        return {str(message.id): message for message in read_po(source, locale="zh") if message.id}


def placeholders(sentence: str) -> list[str]:
    """Names only: `{minutes:02}` may stand for `{minutes}`."""
    return sorted(name for _, name, _, _ in Formatter().parse(sentence) if name is not None)


def test_every_sentence_has_its_chinese() -> None:
    assert len(said()) > 150
    untold = [f"{sentence!r} ({place})" for sentence, place in said().items() if sentence not in written()]
    empty = [sentence for sentence, message in written().items() if not message.string]
    fuzzy = [sentence for sentence, message in written().items() if message.fuzzy]
    assert (untold, empty, fuzzy) == ([], [], [])


def test_no_sentence_hides_from_the_extractor() -> None:
    """Deep inside another call the extractor overlooks a marker: set the sentence apart, in a table or on a line."""
    hidden = []
    for path in _code():
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Call(
                    func=ast.Name(id=name) | ast.Attribute(attr=name), args=[ast.Constant(value=str(it)), *_]
                ):
                    if name in KEYWORDS and _worded(it) and it not in said():
                        hidden.append(f"{it!r} ({path.relative_to(ROOT)}:{node.lineno})")
    assert hidden == []


def test_no_chinese_is_kept_for_what_nobody_says_any_more() -> None:
    assert [sentence for sentence in written() if sentence not in said()] == []


def test_placeholders_and_tags_are_those_of_the_original() -> None:
    def frame(sentence: str) -> tuple[list[str], list[str]]:
        return placeholders(sentence), TAG.findall(sentence)

    differing = [
        (sentence, message.string)
        for sentence, message in written().items()
        if frame(sentence) != frame(str(message.string))
    ]
    assert differing == []


def test_chinese_sentences_hold_no_english_and_no_half_width_punctuation() -> None:
    wrong = {
        sentence: found
        for sentence, message in written().items()
        if (found := _foreign("zh", PLACEHOLDER.sub("", TAG.sub("", str(message.string)))))
    }
    assert wrong == {}
    assert [message.string for message in written().values() if set(str(message.string)) & set("!！")] == []


def test_the_tables_are_complete_in_both_languages() -> None:
    sentences = [
        *(rule.label for rule in ACTS.values()),
        *(rule.done for rule in ACTS.values()),
        *STATUS_NAMES.values(),
        *(text for reasons in REASONS.values() for text in reasons.values()),
        *ANSWERS.values(),
        *office_card._NEEDS.values(),
        *(text for both in reminder._REMINDERS.values() for text in both),
        *helping.ROLES.values(),
        *helping.COMMANDS.values(),
    ]
    assert [text for text in sentences if text not in said() or text not in written()] == []
    assert set(ACTS) == set(Act) and set(STATUS_NAMES) == set(Status) and set(reminder._REMINDERS) == set(Clock)
    assert {act for act, rule in ACTS.items() if rule.reason} - set(REASONS) <= {Act.ASK_FOR_TIME, Act.PARK}
    assert [kind.key for kind in CATEGORIES.values() if not HAN.search(kind.name_zh)] == []
    assert [kind.key for kind in CATEGORIES.values() if not kind.name_en or not kind.name_en.isascii()] == []


def test_the_words_on_buttons_are_those_of_the_domain() -> None:
    zh = Speech("zh")
    labels = {act: zh.tell(rule.label) for act, rule in ACTS.items()}
    assert labels[Act.ACCEPT] == "接单" and labels[Act.MAKE_SAFE] == "已设警示" and labels[Act.RESOLVE] == "已处置"
    assert labels[Act.RETURN] == "不归我管" and labels[Act.ASK_FOR_TIME] == "申请延期"
    assert (
        labels[Act.CONFIRM] == "确认结案" and labels[Act.SEND_BACK] == "退回返工" and labels[Act.REOPEN] == "重新打开"
    )
    assert labels[Act.REASSIGN] == "改派" and labels[Act.PARK] == "挂账" and labels[Act.MERGE] == "合并"
    assert labels[Act.VOID] == "作废" and labels[Act.DISMISS] == "不予立案" and labels[Act.NOT_A_REPORT] == "不是上报"
    assert [zh.tell(text) for text in ANSWERS.values()] == ["已修好", "修了一半", "没修好"]


def test_a_span_of_time_reads_as_people_say_it() -> None:
    zh, en = Speech("zh"), Speech("en")
    assert span(zh, timedelta(hours=3, minutes=2)) == "3 小时 02 分"
    assert span(zh, timedelta(days=2, minutes=5)) == "2 天"
    assert span(zh, timedelta(minutes=7)) == "7 分钟"
    assert span(zh, timedelta(seconds=20)) == "1 分钟以内"
    assert span(en, timedelta(hours=5, minutes=58)) == "5 h 58 min"


# From here: views rendered for one reader, in a town whose people and places have names in the reader's language.

NOW = datetime(2026, 11, 23, 6, 4, tzinfo=UTC)
ZONE = ZoneInfo("Asia/Shanghai")
NAMES = {
    "zh": ("水洞埭社区", "关帝庙商圈", "水务公司", "供电所", "张记面馆", "中山路 12 号", "林书记", "被货车压裂"),
    "en": ("Waterhole", "Temple", "Water Works", "Power", "Noodles", "12 Hill Rd", "Secretary Lin", "lorry broke it"),
}


def _screen(language: str) -> Screen:
    return Screen(Speech(language), NOW, ZONE)


def _scene(language: str, status: Status, need: str = "", category: str = "cover.water") -> Scene:
    community, district, water, power, shop, address, secretary, words = NAMES[language]
    incident = Incident(
        shop=shop,
        address=address,
        id=7, community_id=1, district_id=1, number=None if status is Status.DRAFT else "SD-2026-0042",
        status=str(status), category=category, likely=["cover.water", "road"], unit_id=1, refused_by=[2, 1],
        chat_id=-100, message_id=5, author_id=9, reporter_id=9, latitude=30.7, longitude=121.0,
        created_at=NOW, gather_until=NOW, filed_at=NOW - timedelta(hours=3, minutes=2), resolved_at=NOW,
        closed_at=NOW, safe_at=NOW if status is Status.ACCEPTED else None, accept_due=NOW + timedelta(minutes=28),
        safe_due=NOW + timedelta(minutes=58), repair_due=NOW + timedelta(hours=5, minutes=58),
        verify_due=NOW - timedelta(days=1, hours=2), rework=1, need=need,
    )  # fmt: skip
    part = Part(id=1, incident_id=7, chat_id=-100, message_id=5, user_id=9, role="report", media="photo", at=NOW)
    part.text, part.file_id = words, "x"
    parts = (part, part.model_copy(update={"id": 2, "role": "after", "message_id": 6, "unreadable": True}))
    return Scene(
        incident=incident,
        community=Community(id=1, key="sd", name=community, prefix="SD"),
        district=District(id=1, community_id=1, key="guandi", name=district),
        unit=Unit(id=1, community_id=1, key="water", name=water),
        parts=parts,
        events=tuple(_events(secretary, power, words)),
        answers=tuple(
            Answer(incident_id=7, user_id=at, round=1, answer=answer, at=NOW)
            for at, answer in enumerate(("yes", "yes", "no", "half"))
        ),
        units=(
            Unit(id=1, community_id=1, key="water", name=water),
            Unit(id=2, community_id=1, key="power", name=power),
        ),
    )


def _events(who: str, unit: str, words: str) -> Iterator[Event]:
    """One entry of every kind, by somebody with a name, and one by each of those who have none."""
    what = {Act.FILE: "cover.water", Act.SAY_FIXED: "half", Act.COMMENT: words, Act.MERGE: "SD-2026-0043"}
    for act in ("caught", "edited", *Act):
        reasons = list(REASONS.get(Act(act), {"": ""})) if act in set(Act) else [""]
        for reason in reasons:
            said_what = what.get(Act(act), unit) if act in set(Act) else ""
            yield _event(act, who, reason=reason, what=said_what)
    yield _event("accept", "", role="unit")
    yield _event("accept", "", role="merchant")
    yield _event("dispatch", "", actor_id=0, what=unit)
    yield _event("comment", who)
    yield _event("send_back", who, reason="half", role="secretary", undo={"status": "resolved"})


def _event(
    act: str,
    who: str,
    *,
    reason: str = "",
    what: str = "",
    role: str = "reporter",
    actor_id: int = 3,
    undo: object = (),
) -> Event:
    return Event(
        id=1, incident_id=7, community_id=1, at=NOW, act=act, actor_id=actor_id, actor=who, role=role,
        reason=reason, what=what, undo=dict(undo) if isinstance(undo, dict) else {},
    )  # fmt: skip


def _post(kind: str, **args: object) -> Post:
    return Post(id=1, subject="incident:7", chat_id=-100, kind=kind, args=args)


def _shown(shape: Shape) -> Iterator[str]:
    """All words of one message: its text, its buttons, a menu's lines."""
    if isinstance(shape, Content):
        yield from shape.text.split("\n")
        yield from (button.text for row in shape.rows for button in row)
    elif isinstance(shape, Gone):
        yield shape.text
    elif isinstance(shape, Menu):
        yield from (told for _, told in shape.commands)


def _messages_of(language: str) -> Iterator[Shape]:
    """Every card in every status with every menu open, every list, every word of help."""
    screen = _screen(language)
    menus = ("", "more", "history", *(str(act) for act in (Act.FILE, Act.DISPATCH, Act.REASSIGN, *REASONS)))
    for status in Status:
        scene = _scene(language, status)
        for kind, view in CARDS.items():
            for menu in menus if kind in ("card", "office", "prompt") else ("",):
                for role in ("office", "unit", "reporter", "merchant") if kind == "sheet" else ("",):
                    yield view(screen, scene, _post(kind, menu=menu, role=role))
        for clock in Clock:
            for late in (-timedelta(minutes=90), timedelta(0), timedelta(days=3, hours=1)):
                then = replace(screen, now=NOW + timedelta(hours=6) + late)
                yield reminder.reminder(then, scene, _post("reminder", clock=str(clock), street=late > timedelta(0)))
    for need in office_card._NEEDS:
        yield office_card.office_card(screen, _scene(language, Status.FILED, need, category=""), _post("office"))
    yield from _lists(language, screen)
    yield from _help(language, screen)


def _lists(language: str, screen: Screen) -> Iterator[Shape]:
    community, _, water, _, shop, *_ = NAMES[language]
    lines = [lists.Line(_scene(language, status).incident, water, shop) for status in Status]
    for some in (lines, []):
        yield lists.queue(screen, some, 30 * len(some), 1)
        yield lists.found(screen, some, shop)
        yield lists.mine(screen, some)
    yield lists.found(screen, [], "")
    for kind in lists.HEADS:
        yield lists.waiting(screen, lines, 30, 1, kind)
    for name, menu in ((shop, ""), ("", str(Act.DISMISS))):
        yield lists.beyond(screen, lists.Reported(name, 34, 20), lines, 14, 1, menu)
    rates = replace(measure([], NOW, NOW, NOW), parked=2)
    yield lists.numbers(screen, lists.Numbers("2026-11", 4, 3, 2, 1, rates, ((community, 3, rates),)))


def _help(language: str, screen: Screen) -> Iterator[Shape]:
    community, *_ = NAMES[language]
    yield helping.start(screen, [])
    yield helping.start(screen, [(role, community) for role in helping.ROLES])
    for bound in ("", community):
        yield helping.checklist(screen, helping.Rights(admin=bool(bound), reads_all=False), bound)
        yield helping.bind_menu(screen, [("o1", community)], bound)
    yield helping.bind_menu(screen, [], "")
    yield helping.bind_menu(screen, [("o1", community)], "", "relay_bot")
    for role in (*helping.MENUS, ""):
        yield helping.menu(screen, role)


def _foreign(language: str, text: str) -> list[str]:
    """What of a text is in the other language."""
    plain = SAID_IN_LATIN.sub(" ", TAG.sub("", text))
    if language == "zh":
        return LATIN_WORD.findall(plain) + HALF_WIDTH.findall(plain)
    return HAN.findall(plain)


def _foreign_lines(language: str, shapes: Iterable[Shape]) -> dict[str, list[str]]:
    return {line: found for shape in shapes for line in _shown(shape) if (found := _foreign(language, line))}


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_a_reader_sees_is_in_one_language(language: str) -> None:
    assert _foreign_lines(language, _messages_of(language)) == {}


def test_small_words_are_in_one_language() -> None:
    for language in LANGUAGES:
        speech = Speech(language)
        told = [status_name(speech, status) for status in Status]
        told += [category_name(speech, key) for key in (*CATEGORIES, "")]
        told += [reason_name(speech, act, reason) for act, reasons in REASONS.items() for reason in reasons]
        told += [act_told(speech, event, event.at, ZONE) for event in _scene(language, Status.CLOSED).events]
        assert [word for word in told if not word or _foreign(language, word)] == []


def test_a_late_press_and_a_reminder_read_as_the_domain_says() -> None:
    zh = Speech("zh")
    told = act_told(zh, _event("confirm", "林书记"), NOW, ZONE)
    assert zh.tell("A little late: {told}.", told=told) == "晚了一步：林书记 14:04 已确认结案。"
    then = replace(_screen("zh"), now=NOW + timedelta(hours=4, minutes=28))
    line = reminder.reminder(then, _scene("zh", Status.ACCEPTED), _post("reminder", clock="repair"))
    assert isinstance(line, Content) and line.text == "SD-2026-0042 上水井盖离修复时限还有 1 小时 30 分。"


def test_a_unit_card_reads_as_the_domain_says() -> None:
    card = CARDS["card"](_screen("zh"), _scene("zh", Status.DISPATCHED), _post("card"))
    assert isinstance(card, Content)
    lines = card.text.split("\n")
    assert lines[0] == "🔴 <b>SD-2026-0042</b> 上水井盖"
    assert lines[1] == "📍 关帝庙商圈 · 张记面馆，中山路 12 号"
    assert lines[2] == "💬 “被货车压裂”"
    assert "⏱ 接单 14:32 · 设警示 15:02 · 修复 20:02（剩 5 小时 58 分）" in lines
    assert "状态：已派遣 · 水务公司" in lines
    assert [button.text for row in card.rows for button in row][1:5] == ["接单", "已设警示", "已处置", "不归我管"]


def test_the_group_and_the_office_read_as_the_domain_says() -> None:
    screen = _screen("zh")
    line = CARDS["line"](screen, _scene("zh", Status.ACCEPTED), _post("line"))
    closed = CARDS["line"](screen, _scene("zh", Status.CLOSED), _post("line"))
    office = CARDS["office"](screen, _scene("zh", Status.RESOLVED, "check"), _post("office"))
    assert isinstance(line, Content) and isinstance(closed, Content) and isinstance(office, Content)
    assert line.text == "<b>SD-2026-0042</b> 上水井盖 · 水务公司 · 处置中 · 20:02 前修复"
    assert closed.text == "<b>SD-2026-0042</b> 上水井盖 · 已结案，用时 3 小时 02 分"
    assert "水务公司说已处置，请核查" in office.text and "群里 2 人说已修好" in office.text
    assert [button.text for row in office.rows for button in row][:3] == ["确认结案", "退回返工", "更多"]
