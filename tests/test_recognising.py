"""What captions from a shop owners' group are taken for: sure, unsure, or no report."""

from timeit import repeat

import pytest

from bot.domain.categories import FREQUENT
from bot.domain.recognising import recognise, says_no_report, says_report


@pytest.mark.parametrize(
    ("caption", "kind"),
    [
        ("井盖坏了", "cover.unknown"),
        ("门口马路井盖破了,有学生路过", "cover.unknown"),
        ("自来水井盖破了", "cover.water"),
        ("水表井的盖子没了", "cover.water"),
        ("自来水公司的井盖被货车压坏", "cover.water"),
        ("沙井盖不见了", "cover.storm"),
        ("污水井满了", "cover.sewer"),
        ("路灯井盖翘起来了", "cover.light"),
        ("路灯不亮了三天", "light"),
        ("路灯杆歪了", "pole"),
        ("电线垂下来了", "power"),
        ("弱电箱门开着", "telecom.box"),
        ("消防栓漏水", None),  # names two kinds: a person decides
        ("消防栓坏了", "fire"),
        ("隔壁店门口堆放纸箱", "obstruction"),
        ("占道经营,走不过去", "stall"),
        ("出店经营又占道", "stall"),
        ("共享单车占道", "bikes"),
        ("电瓶车乱停", "bikes"),
        ("垃圾乱堆", "rubbish"),
        ("建筑垃圾没人管", "debris"),
        ("污水横流", "dirty"),
        ("路面积水很深", "dirty"),
        ("人行道破损,地砖松动", "road"),
        ("有个坑", "road"),
        ("树枝断了", "green"),
        ("楼顶违建", "illegal"),
        ("Manhole covers are broken", "cover.unknown"),
        ("the gas manhole cover is gone", "cover.gas"),
        ("STREETLIGHT out since Monday", "light"),
        ("goods on the pavement again", "obstruction"),
        ("e-bikes everywhere", "bikes"),
        ("rubble in front of no. 12", "debris"),
        ("puddles", "dirty"),
        ("A pothole!", "road"),
        ("fallen tree", "green"),
    ],
)
def test_a_caption_that_names_one_matter_is_that_matter(caption: str, kind: str | None) -> None:
    assert recognise(caption).sure == kind
    assert says_report(caption)


@pytest.mark.parametrize(
    "caption",
    (
        *("井 盖 坏 了", "井、盖", "井\u200b盖坏了", "张记面馆MANHOLE坏了", "NO.3井盖", "井盖" + "很长" * 400),
        *("\uff2d\uff21\uff2e\uff28\uff2f\uff2c\uff25", "Man  hole\ncover", "man-hole"),
    ),
)
def test_spaces_capitals_and_full_width_letters_make_no_difference(caption: str) -> None:
    assert recognise(caption).sure == "cover.unknown"


@pytest.mark.parametrize(
    "caption", ["white treetop stallion", "mandarin", "wholesale", "cabin", "roadworthy", "brickyard"]
)
def test_an_english_word_inside_another_is_not_heard(caption: str) -> None:
    assert recognise(caption) == recognise("")


def test_a_caption_that_says_nothing_gets_the_frequent_kinds_as_suggestions() -> None:
    for caption in ("", "今天天气不错", "...", "👍", "张记面馆,中山路 12 号", "look at this"):
        guess = recognise(caption)
        assert guess.sure is None
        assert guess.likely == FREQUENT
        assert not says_report(caption)


def test_two_matters_in_one_caption_are_left_to_a_person() -> None:
    guess = recognise("井盖坏了,旁边还堆了垃圾")
    assert guess.sure is None
    assert guess.likely == ("cover.unknown", "rubbish")
    assert recognise("scooters and garbage").likely == ("bikes", "rubbish")
    assert recognise("scooters beside the 井盖").sure is None


def test_the_longer_word_comes_first_among_the_likely_and_four_are_enough() -> None:
    assert recognise("垃圾、消防栓、建筑垃圾").likely == ("debris", "fire", "rubbish")
    assert len(recognise("井盖 垃圾 路灯 电线 树枝 积水").likely) == 4


def test_a_longer_word_wins_over_a_shorter_one_that_begins_before_it() -> None:
    assert recognise("小广告牌坊积", {"小广": "road", "广告牌坊": "pole"}).sure == "pole"


def test_an_owner_named_beside_a_bare_cover_settles_whose_it_is() -> None:
    assert recognise("井盖破了,应该是自来水井").sure == "cover.water"
    assert recognise("井盖破了,不是自来水井就是污水井").likely == ("cover.water", "cover.sewer")


def test_where_something_lies_does_not_compete_with_what_it_is() -> None:
    assert recognise("三轮车挡路").sure == "bikes"
    assert recognise("挡路").sure == "obstruction"


@pytest.mark.parametrize(
    "caption",
    (
        *("谢谢", "谢谢书记 🙏", "THANKS", "辛苦了", "井盖已修好,谢谢", "已经好了", "垃圾已清运", "井盖修好了"),
        *("路灯已经修好了", "不是上报", "店铺出租,位置好", "招聘服务员", "电动车优惠大促销", "打广告 开业八折"),
        *("The manhole cover is fixed now, thank you", "not a report", "bikes for sale"),
    ),
)
def test_thanks_good_news_and_advertisements_are_no_reports(caption: str) -> None:
    assert says_no_report(caption)
    assert not says_report(caption)
    assert recognise(caption).sure is None


@pytest.mark.parametrize(
    ("caption", "kind"),
    [
        ("井盖坏了,请处理,谢谢", "cover.unknown"),
        ("路灯不亮,麻烦了,辛苦", "light"),
        ("昨天已修好的井盖又坏了", "cover.unknown"),
        ("井盖修好了吗", "cover.unknown"),
        ("井盖还没修好", "cover.unknown"),
        ("是不是井盖坏了", "cover.unknown"),
        ("井盖坏了不是一天两天了", "cover.unknown"),
        ("出租车占道", "obstruction"),
        ("促销占道", "obstruction"),
        ("小广告乱贴", "other"),
        ("pothole again, was already fixed once", "road"),
        ("broken streetlight, thanks", "light"),
    ],
)
def test_a_report_is_not_lost_to_a_polite_or_doubtful_word(caption: str, kind: str) -> None:
    assert not says_no_report(caption)
    assert says_report(caption)
    assert recognise(caption).sure == kind


def test_good_news_still_says_what_it_is_about() -> None:
    assert recognise("井盖已修好,谢谢").likely == ("cover.unknown",)


@pytest.mark.parametrize(
    "caption", ["上报一下", "我要报修", "这里请书记处理", "有安全隐患", "I want to report this", "please fix"]
)
def test_a_caption_may_report_without_naming_the_matter(caption: str) -> None:
    assert says_report(caption)
    assert recognise(caption).sure is None


def test_words_taught_by_a_community_beat_the_shipped_ones() -> None:
    taught = {"铁板": "cover.power", "井盖": "cover.water", "Klappe": "cover.gas", "隔壁 老王": "stall", " ,": "road"}
    assert recognise("铁板翘了", taught).sure == "cover.power"
    assert recognise("铁板翘了").sure is None
    assert recognise("井盖坏了", taught).sure == "cover.water"
    assert recognise("自来水井盖坏了", {"自来水": "dirty"}).sure == "cover.water"  # the longer word still wins
    assert recognise("die klappe fehlt", taught).sure == "cover.gas"
    assert recognise("klappern", taught).sure is None
    assert recognise("隔壁老王", taught).sure == "stall"
    assert says_report("铁板翘了", taught)
    assert not says_report("铁板翘了")


def test_taught_words_are_words_and_not_patterns() -> None:
    assert recognise("c.t", {"c.*t": "road"}).sure == "road"
    assert recognise("cart", {"c.*t": "road"}).sure is None
    assert recognise("(坑", {"(破": "road"}).sure == "road"


def test_a_caption_of_sixty_characters_is_read_in_a_blink() -> None:
    caption = (
        "关帝庙商圈张记面馆门口中山路12号的井盖昨天晚上被一辆大货车压裂了,有学生路过很危险,请尽快派人来处理一下吧,谢谢"
    )
    assert 55 <= len(caption) <= 65
    once = min(repeat(lambda: recognise(caption), number=500, repeat=5)) / 500
    assert once < 150e-6  # measured at 15 µs; the rest is room for a busy machine


def test_a_hostile_caption_is_bounded() -> None:
    once = min(repeat(lambda: recognise("井" * 100_000), number=1, repeat=3))
    assert once < 0.02
