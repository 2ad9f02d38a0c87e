"""The shipped kinds of matters against DOMAIN.md's table, and the words that name them."""

import unicodedata

import pytest

from bot.domain.categories import CATEGORIES, FREQUENT
from bot.domain.recognising import recognise

COVERS = ("water", "sewer", "storm", "power", "light", "telecom", "heat", "gas", "unknown")

# key: accept, safe, safe if dangerous, repair, repair with works, dangerous
TABLE = {
    **{f"cover.{owner}": ("30m", "60m", "-", "6h", "3d", True) for owner in COVERS},
    "fire": ("60m", "60m", "-", "12h", "3d", True),
    "telecom.box": ("2wh", "-", "60m", "12h", "3d", False),
    "power": ("60m", "60m", "-", "3h", "3d", True),
    "pole": ("2wh", "60m", "-", "12h", "3d", True),
    "light": ("4wh", "-", "-", "24h", "-", False),
    "obstruction": ("2wh", "-", "-", "4wh", "-", False),
    "stall": ("2wh", "-", "-", "4wh", "-", False),
    "bikes": ("2wh", "-", "-", "4wh", "-", False),
    "rubbish": ("2wh", "-", "-", "4wh", "-", False),
    "debris": ("2wh", "-", "-", "4wh", "2wd", False),
    "dirty": ("2wh", "-", "-", "2wh", "4wh", False),
    "road": ("4wh", "-", "60m", "3wd", "-", False),
    "green": ("4wh", "-", "-", "5wd", "-", False),
    "illegal": ("4wh", "-", "-", "7d", "20d", False),
    "other": ("4wh", "-", "-", "3wd", "-", False),
}


def test_the_kinds_stand_in_the_order_of_the_domain_with_its_limits() -> None:
    shipped = {
        key: (
            *(
                limit.text if limit else "-"
                for limit in (kind.accept, kind.safe, kind.safe_if_dangerous, kind.repair, kind.repair_works)
            ),
            kind.dangerous,
        )
        for key, kind in CATEGORIES.items()
    }
    assert list(shipped.items()) == list(TABLE.items())


def test_every_kind_knows_its_own_key_and_has_a_name_in_both_languages() -> None:
    for key, kind in CATEGORIES.items():
        assert kind.key == key
        assert kind.name_en.isascii()
        assert not kind.name_zh.isascii()
    assert len({kind.name_en for kind in CATEGORIES.values()}) == len(CATEGORIES)
    assert len({kind.name_zh for kind in CATEGORIES.values()}) == len(CATEGORIES)


def test_every_kind_has_an_icon_of_its_own_that_is_one_emoji() -> None:
    icons = [kind.icon for kind in CATEGORIES.values()]
    assert len(set(icons)) == len(icons)
    assert all(len(icon) == 1 and unicodedata.category(icon) == "So" for icon in icons)


def test_a_word_belongs_to_one_kind_and_is_written_as_the_search_reads_it() -> None:
    words = [word for kind in CATEGORIES.values() for word in kind.keywords]
    assert len(set(words)) == len(words)
    assert all(word == unicodedata.normalize("NFKC", word).casefold().strip() for word in words)
    assert all(word.isascii() or word.isalnum() for word in words)


def test_whatever_names_a_kind_is_recognised_as_that_kind() -> None:
    missed = {word: key for key, kind in CATEGORIES.items() for word in kind.keywords if recognise(word).sure != key}
    assert missed == {}


def test_the_frequent_kinds_exist() -> None:
    assert set(FREQUENT) <= set(CATEGORIES)


@pytest.mark.parametrize("key", [key for key in CATEGORIES if key != "other"])
def test_a_kind_is_recognised_by_its_own_chinese_name(key: str) -> None:
    for name in CATEGORIES[key].name_zh.split("·"):
        assert recognise(name).sure == key, name
