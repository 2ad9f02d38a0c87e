"""Which kind of matter a caption speaks of, and whether it is a report at all.

It exists so that a photo with words files itself and a photo without does not bother the group: the words are
looked up, nothing is learnt and nothing is sent away. The longest word wins (自来水井盖 over 井盖); two matters
in one caption are left to a person; a report is never lost to a polite 谢谢 at its end.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Final

from bot.domain.categories import CATEGORIES, FREQUENT

LIKELY: Final = 4
"""How many suggestions fit on one row or two of buttons."""

LONGEST_CAPTION: Final = 1024
"""Telegram's limit for a caption; what stands behind it is not read."""

WHEREABOUTS: Final = frozenset({"占道", "挡路", "挡道", "堵路", "堵门", "拦路", "乱丢", "乱扔", "in the way"})
"""Words that say how something lies about, not what: they count only where no other word does."""

_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})

_OWNED_COVERS = frozenset(key for key in CATEGORIES if key.startswith("cover.")) - {"cover.unknown"}

_SEPARATORS = re.compile(r"[\W_]+")
_NOT_LATIN = re.compile(r"[^a-z0-9]+")
_LATIN = re.compile(r"[a-z]")

_AD = re.compile(
    "(?<!小)广告(?!牌|位|箱|灯|布)|出租(?!车|房|屋)|招租|转让|招聘|招工|优惠|促销|打折|特价|秒杀|开业|新品|上新|包邮"
    "|加微信|扫码|领券|抽奖|团购|拼团|代购"
)
_THANKS = re.compile("谢谢|感谢|多谢|辛苦|点赞|不是|不用了|没事了|收到|早上好|晚上好|晚安|节日快乐|新年好")
_FIXED = re.compile(
    "已(?:经)?(?:修好|修复|处理|处置|解决|弄好|清理|清运|换好|搬走|好了)|(?<![没未])(?:修好|处理好|清理好)[了啦]"
    "|不是上报|不是报修|不用上报|不上报|别上报"
)
_AGAIN = re.compile("又|还是|仍|再次|没有?修|没有?好|没有?处理|未修|未处理|没人|怎么还|修好之?后|[吗么嘛]$")
_TROUBLE = re.compile(
    "坏|破|裂|碎|断|塌|陷|缺|丢了|不见|翘|松|歪|倒|堵|漏|溢|积水|脏|臭|乱|占|堆|挡|不亮|危险|绊|摔|扰民|影响|没盖|没人"
    "|报修|上报|投诉|反映|举报|处理一下|请.{0,4}处理|帮.{0,3}处理|麻烦"
)
_SAYS_SO = re.compile("(?<!不)(?<!别)上报|报修|投诉|反映|举报|报告一下|请.{0,4}处理|处理一下|有人管|没人管|隐患")

_AD_EN = re.compile(
    r"\b(?:advert(?:isement)?|for rent|for sale|to let|hiring|discount|promo(?:tion)?|special offer|sale|coupon)\b"
)
_THANKS_EN = re.compile(r"\b(?:thanks|thank you|thx|good morning|good night|happy new year|well done|never mind)\b")
_FIXED_EN = re.compile(
    r"\b(?:already fixed|fixed now|been fixed|is fixed|all fixed|repaired now|been repaired|already (?:done|repaired)"
    r"|all good now|not a report|no report)\b"
)
_AGAIN_EN = re.compile(r"\b(?:again|still|not|isn t|hasn t|never|no one|nobody)\b")
_TROUBLE_EN = re.compile(
    r"\b(?:broken?|missing|cracked|damaged|blocked|blocking|leak(?:ing|s)?|flood(?:ed|ing)?|open|loose|fallen|falling"
    r"|danger(?:ous)?|dirty|smells?|overflow(?:ing)?|report|complain(?:t|ing)?|please|stuck|tripped|unsafe)\b"
)
_SAYS_SO_EN = re.compile(
    r"\b(?:report(?:ing)?|complain(?:t|ing)?|please (?:fix|repair|remove|clean)|dangerous|unsafe)\b"
)


@dataclass(frozen=True)
class Guess:
    """``sure``: the one category the words name, else None. ``likely``: up to four keys, best first, never empty."""

    sure: str | None
    likely: tuple[str, ...]


@dataclass(frozen=True)
class _Words:
    """A table of words ready for searching: one pattern per script, and the category of each word."""

    chinese: re.Pattern[str]
    latin: re.Pattern[str]
    category: Mapping[str, str]

    def weigh(self, chinese: str, latin: str) -> dict[str, int]:
        """Category → weight of the longest word found for it; a Chinese character weighs three letters."""
        found = [(word, len(word) * 3) for word in _apart(self.chinese, chinese)]
        if latin:
            found += [(word, len(word)) for word in _apart(self.latin, latin)]
        if len(found) > 1:
            found = [hit for hit in found if hit[0] not in WHEREABOUTS] or found
        weights: dict[str, int] = {}
        for word, weight in found:
            key = self.category[word]
            weights[key] = max(weight, weights.get(key, 0))
        if "cover.unknown" in weights and any(key in _OWNED_COVERS for key in weights):
            del weights["cover.unknown"]
        return weights


def _apart(pattern: re.Pattern[str], text: str) -> list[str]:
    """The words found in ``text``, in its order; of two that overlap the longer stays."""
    found: list[tuple[int, int]] = []
    at = 0
    while hit := pattern.search(text, at):
        found.append(hit.span(1))
        at = hit.start() + 1
    if len(found) > 1:
        kept: list[tuple[int, int]] = []
        for start, end in sorted(found, key=lambda span: span[0] - span[1]):
            if all(end <= other_start or start >= other_end for other_start, other_end in kept):
                kept.append((start, end))
        found = sorted(kept)
    return [text[start:end] for start, end in found]


def _one_of(words: Iterable[str]) -> str:
    """An alternation, longest first, grouped by first letter (six times quicker than a flat one)."""
    by_first: defaultdict[str, list[str]] = defaultdict(list)
    for word in sorted(words, key=lambda word: (-len(word), word)):
        by_first[word[0]].append(re.escape(word[1:]))
    groups = (f"{re.escape(first)}(?:{'|'.join(rest)})" for first, rest in by_first.items())
    return "|".join(groups) or r"(?!)"


def _table(pairs: Iterable[tuple[str, str]]) -> _Words:
    """Words and their categories; the later of two equal words wins. Words with nothing to read are left out."""
    chinese: dict[str, str] = {}
    latin: dict[str, str] = {}
    for written, key in pairs:
        word = _folded(written)
        if word.isascii():
            if spaced := _NOT_LATIN.sub(" ", word).strip():
                latin[spaced] = key
        elif joined := _SEPARATORS.sub("", word):
            chinese[joined] = key
    return _Words(
        chinese=re.compile(f"({_one_of(chinese)})"),
        latin=re.compile(rf"\b({_one_of(latin)})(?:e?s)?\b", re.ASCII),
        category={**chinese, **latin},
    )


def _folded(words: str) -> str:
    return unicodedata.normalize("NFKC", words[:LONGEST_CAPTION]).casefold()


_SHIPPED: Final = tuple((word, key) for key, category in CATEGORIES.items() for word in category.keywords)
_SHIPPED_TABLE: Final = _table(_SHIPPED)


@lru_cache(maxsize=64)
def _taught_table(taught: tuple[tuple[str, str], ...]) -> _Words:
    return _table((*_SHIPPED, *taught))


def _table_of(taught: Mapping[str, str]) -> _Words:
    return _taught_table(tuple(taught.items())) if taught else _SHIPPED_TABLE


def _scripts(words: str) -> tuple[str, str]:
    """The caption as Chinese without spaces and punctuation, and as English words with one space between."""
    folded = _folded(words)
    return _SEPARATORS.sub("", folded), _NOT_LATIN.sub(" ", folded) if _LATIN.search(folded) else ""


def _denies(chinese: str, latin: str) -> bool:
    if _FIXED.search(chinese) and not _AGAIN.search(chinese):
        return True
    idle, trouble = _AD.search(chinese) or _THANKS.search(chinese), _TROUBLE.search(chinese)
    if latin:
        if _FIXED_EN.search(latin) and not _AGAIN_EN.search(_FIXED_EN.sub("", latin)):
            return True
        idle = idle or _AD_EN.search(latin) or _THANKS_EN.search(latin)
        trouble = trouble or _TROUBLE_EN.search(latin)
    return bool(idle and not trouble)


def recognise(words: str, taught: Mapping[str, str] = _NOTHING) -> Guess:
    """What the caption names. ``taught``: words of this community → category key; they beat the shipped ones.

    Sure when all words found name one category and the caption does not deny it (已修好, 广告, 谢谢 alone). An
    owner named beside a bare 井盖 settles whose cover it is. About 15 µs for a caption of 60 characters.
    """
    chinese, latin = _scripts(words)
    weights = _table_of(taught).weigh(chinese, latin)
    if not weights:
        return Guess(None, FREQUENT[:LIKELY])
    likely = tuple(sorted(weights, key=lambda key: -weights[key]))[:LIKELY]
    return Guess(likely[0] if len(weights) == 1 and not _denies(chinese, latin) else None, likely)


def says_no_report(words: str) -> bool:
    """Whether the caption hints that nothing is reported: repaired already, an advertisement, thanks, a greeting.

    Only a hint: it takes the certainty from a guess and never throws a photo away.
    """
    return _denies(*_scripts(words))


def says_report(words: str, taught: Mapping[str, str] = _NOTHING) -> bool:
    """Whether the caption by itself says that something is reported (``intake = "keyword"``): it names a kind of
    matter, or asks for help (上报, 报修, 请处理, report), and does not say at once that nothing is.
    """
    chinese, latin = _scripts(words)
    if _denies(chinese, latin):
        return False
    if _SAYS_SO.search(chinese) or (latin and _SAYS_SO_EN.search(latin)):
        return True
    return bool(_table_of(taught).weigh(chinese, latin))
