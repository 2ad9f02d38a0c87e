"""The alliance file: what a good one says, and that every mistake is one line with file, line and cure."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from bot.alliance import Alliance, AllianceError, LimitEntry, read
from bot.alliance.lines import Lines, Place
from bot.domain.durations import Duration

ROOT = Path(__file__).parent.parent
EXAMPLE = ROOT / "bot" / "example" / "alliance.toml"
WORLD = ROOT / "bot" / "sandbox" / "world.json"

SMALL = """\
[[community]]
key = "north"
name = "North"
prefix = "N"
office_chat = -1
secretaries = [1]
fallback_unit = "water"

[[community.district]]
key = "market"
name = "Market"
chats = [-11, -12]

[[community.unit]]
key = "water"
name = "Water"
chat = -21
categories = ["cover.*", "road"]
districts = ["market"]

[[community]]
key = "south"
name = "South"
prefix = "S"
parent = "north"

[categories."cover.water"]
accept = "30m"
"""
"""A file in which each test breaks one line; the numbers in the tables below are its lines."""


def parsed(text: str, folder: Path) -> Alliance:
    file = folder / "alliance.toml"
    file.write_text(text, encoding="utf-8")
    return read(file)


def refusal(text: str, folder: Path) -> str:
    with pytest.raises(AllianceError) as caught:
        parsed(text, folder)
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


def changed(line: int, to: str) -> str:
    lines = SMALL.splitlines()
    lines[line - 1] = to
    return "\n".join(lines)


def test_the_example_is_read_whole() -> None:
    alliance = read(EXAMPLE)
    street, community = alliance.communities
    assert (street.key, street.prefix, street.parent, street.districts) == ("danghu", "DH", "", ())
    assert (community.key, community.name, community.parent) == ("shuidongdai", "水洞埭社区", "danghu")
    assert community.secretaries == (500000001, 500000002)
    assert [each.key for each in community.districts] == ["guandi", "nanshi", "hebin"]
    assert [each.key for each in community.units] == ["water", "power", "urban", "telecom", "property"]
    assert community.units[0].categories == ("cover.water", "cover.sewer", "cover.storm")
    assert community.districts[0].chats == (-1001000000101,)
    assert alliance.digest == sha256(EXAMPLE.read_bytes()).hexdigest()


def test_the_people_and_groups_of_the_example_are_those_of_the_sandbox() -> None:
    world = json.loads(WORLD.read_text(encoding="utf-8"))
    communities = read(EXAMPLE).communities
    chats = {
        *(each.office_chat for each in communities),
        *(chat for each in communities for district in each.districts for chat in district.chats),
        *(unit.chat for each in communities for unit in each.units),
    }
    assert chats == {chat["id"] for chat in world["chats"]}
    people = {person for each in communities for person in each.secretaries}
    people |= {person for each in communities for unit in each.units for person in unit.members}
    assert people <= {person["id"] for person in world["people"]}


def test_keys_left_out_take_the_defaults_that_the_design_shows(tmp_path: Path) -> None:
    text = '[[community]]\nkey = "a"\nname = "A"\nprefix = "A"\n[[community.unit]]\nkey = "u"\nname = "U"\n'
    (community,) = parsed(text, tmp_path).communities
    assert (community.dispatch, community.intake, community.proof) == ("auto", "ask", "required")
    assert (community.gather, community.language, community.parent) == (Duration.parse("15s"), "", "")
    assert (community.quiet_hours, community.working_hours) == ("21:30-07:00", "08:30-11:30,13:30-17:30")
    assert (community.office_chat, community.secretaries, community.fallback_unit) == (None, (), "")
    assert community.quota == 20
    (unit,) = community.units
    assert (unit.chat, unit.contact, unit.members) == (None, "", ())
    assert (unit.categories, unit.districts) == ((), ("*",))


def test_limits_override_only_what_they_name(tmp_path: Path) -> None:
    text = '[categories."cover.water"]\naccept = "90s"\n[categories.road]\nrepair = "2wd"\n'
    assert parsed(text, tmp_path).categories == (
        LimitEntry("cover.water", accept=Duration.parse("90s"), safe=None, repair=None),
        LimitEntry("road", accept=None, safe=None, repair=Duration.parse("2wd")),
    )


def test_empty_hours_mean_none_and_an_empty_file_is_an_empty_alliance(tmp_path: Path) -> None:
    text = changed(6, 'quiet_hours = ""\nworking_hours = ""')
    north = parsed(text, tmp_path).communities[0]
    assert (north.quiet_hours, north.working_hours) == ("", "")
    assert parsed("# nothing yet\n", tmp_path).communities == ()


@pytest.mark.parametrize("contact", ["mailto:duty@example.org", "wecom://k", "dingtalk://k", "feishu://k"])
def test_a_unit_without_a_group_has_an_address_that_is_never_printed(contact: str, tmp_path: Path) -> None:
    unit = parsed(changed(17, f'contact = "{contact}"'), tmp_path).communities[0].units[0]
    assert (unit.contact, unit.chat) == (contact, None)
    assert contact not in repr(unit)


def test_windows_line_ends_and_a_byte_order_mark_are_read(tmp_path: Path) -> None:
    file = tmp_path / "alliance.toml"
    file.write_bytes(b"\xef\xbb\xbf" + SMALL.replace("\n", "\r\n").encode())
    assert len(read(file).communities) == 2
    file.write_bytes(b"\xef\xbb\xbf" + changed(17, "chat = 21").replace("\n", "\r\n").encode())
    with pytest.raises(AllianceError, match=r"^alliance\.toml, line 17: "):
        read(file)


BAD = [
    (2, "", 1, '[[community]] has no "key": write key = '),
    (3, "", 1, '[[community]] has no "name"'),
    (4, "", 1, '[[community]] has no "prefix": write prefix = "SD"'),
    (15, "", 14, '[[community.unit]] has no "key"'),
    (2, 'key = "two words"', 2, "write 1 to 32 letters, digits, - or _"),
    (2, 'key = ""', 2, "write 1 to 32 letters"),
    (2, "key = 7", 2, '"key" in [[community]] must be text in quotes, not a whole number'),
    (3, 'name = "  "', 3, "must have 1 to 64 characters"),
    (3, 'name = "a\\u0000b"', 3, "holds a control character"),
    (4, 'prefix = "n"', 4, "write 1 to 4 capital letters"),
    (4, 'prefix = "NORTH"', 4, "write 1 to 4 capital letters"),
    (5, "office_chat = 1", 5, "cannot be 1: a group's id is negative"),
    (5, 'office_chat = "-1"', 5, "must be a whole number, not text in quotes"),
    (5, "office_chat = true", 5, "must be a whole number, not true or false"),
    (5, "office_chat = -1.0", 5, "must be a whole number, not a number with a point"),
    (5, "office_chat = -99999999999999999999", 5, "a group's id is negative"),
    (6, "secretarys = [1]", 6, 'unknown key "secretarys" in [[community]]: did you mean "secretaries"?'),
    (6, "zzz = 1", 6, 'unknown key "zzz" in [[community]]: known here: key, name, prefix'),
    (6, "secretaries = 1", 6, '"secretaries" in [[community]] must be a list in [ ], not a whole number'),
    (6, "secretaries = [\n  1,\n  -5,\n]", 8, "holds -5: a person's id is positive"),
    (6, 'dispatch = "autos"', 6, '"dispatch" in [[community]] cannot be "autos": did you mean "auto"?'),
    (6, 'intake = "never"', 6, 'write "ask" or "all" or "keyword"'),
    (6, 'proof = ""', 6, 'write "required" or "optional"'),
    (6, 'language = "de"', 6, 'write "" or "zh" or "en"'),
    (6, 'gather = "15"', 6, "'15' is not a duration"),
    (6, 'gather = "4wh"', 6, '"gather" cannot be "4wh": write 1s to 60m'),
    (6, 'gather = "61m"', 6, '"gather" cannot be "61m": write 1s to 60m'),
    (6, "quota = -1", 6, '"quota" in [[community]] cannot be -1: write 0 (none) to 1000'),
    (6, "quota = 1001", 6, '"quota" in [[community]] cannot be 1001: write 0 (none) to 1000'),
    (6, 'quota = "20"', 6, '"quota" in [[community]] must be a whole number, not text in quotes'),
    (6, "quota = true", 6, '"quota" in [[community]] must be a whole number, not true or false'),
    (6, 'quiet_hours = "late"', 6, "'late'"),
    (6, 'working_hours = "08:30-25:00"', 6, "is not a span"),
    (7, 'fallback_unit = "watre"', 7, 'there is no unit "watre" in "north": did you mean "water"?'),
    (9, "[community.district]", 9, '"district" must be written as [[community.district]]'),
    (12, "chats = -11", 12, "must be a list in [ ]"),
    (12, "chats = [-11, 12]", 12, "cannot be 12: a group's id is negative"),
    (12, "chats = [\n  -11, # ]\n  -11,\n]", 14, 'it is already the district "market" (line 13)'),
    (12, "chats = [-1]", 12, 'chat -1 is bound twice: it is already the office of "north" (line 5)'),
    (14, "[[community.units]]", 14, 'unknown key "units" in [[community]]: did you mean "unit"?'),
    (14, "[[unit]]", 14, 'unknown key "unit" in the file: write [[community.unit]]'),
    (17, "chat = -12", 17, 'chat -12 is bound twice: it is already the district "market" (line 12)'),
    (17, 'contact = "https://example.org"', 17, "write mailto:name@example.org, wecom://"),
    (17, 'contact = "mailto:"', 17, "write mailto:name@example.org"),
    (17, 'dispatch = "auto"', 17, "it belongs to [[community]]: move it above the districts and units"),
    (18, 'categories = ["cover.watre"]', 18, 'unknown category "cover.watre": did you mean "cover.water"?'),
    (18, 'categories = ["cover"]', 18, 'did you mean "cover.*"?'),
    (18, 'categories = [\n  "road", # one\n  "zzzzz",\n]', 20, 'unknown category "zzzzz": known are cover.water'),
    (18, "categories = [1]", 18, 'each entry of "categories" in [[community.unit]] must be text in quotes'),
    (19, 'districts = ["markt"]', 19, 'there is no district "markt" in "north": did you mean "market"?'),
    (21, "[community]", 21, "a table that comes more than once has two brackets each side"),
    (22, 'key = "north"', 22, 'community key "north" is used twice: it is taken on line 2'),
    (24, 'prefix = "N"', 24, 'prefix "N" is used twice: it is taken on line 4'),
    (25, 'parent = "nort"', 25, 'there is no community "nort": did you mean "north"?'),
    (25, 'parent = "south"', 25, "south → south reports to itself: leave parent out at the top"),
    (25, "office_chat = -21", 25, 'it is already the unit "water" (line 17)'),
    (25, '[[community.unit]]\nkey = "a"\nname = "A"\n[[community.unit]]\nkey = "a"\nname = "B"', 29, 'within "south"'),
    (27, '[categories."cover.watr"]', 27, 'unknown category "cover.watr": did you mean "cover.water"?'),
    (27, "[categories.cover.water]", 27, 'stands in quotes, as in [categories."cover.water"]'),
    (27, '[categories."cover.*"]', 27, "limits are set for one category each"),
    (27, '[[categories."cover.water"]]', 27, "must be a table"),
    (27, "[[categories]]", 27, "one bracket each side"),
    (28, 'acept = "30m"', 28, 'unknown key "acept" in [categories."cover.water"]: did you mean "accept"?'),
    (28, "accept = 30", 28, "must be text in quotes, not a whole number"),
    (28, "accept = 07:30:00", 28, "must be text in quotes, not a date or time"),
    (28, 'accept = "0m"', 28, "is not a duration"),
    (28, 'repair = "soon"', 28, "'soon' is not a duration"),
    (3, 'name "North"', 3, "not valid TOML: expected '=' after a key"),
    (3, 'name = "North', 3, "close the text with a quotation mark"),
    (3, 'name = """North', 3, "not valid TOML"),
    (6, "secretaries = [1", 6, "not valid TOML: unclosed array: close the list with ] (noticed on line 7)"),
    (6, 'name = """\nagain\n"""', 6, 'not valid TOML: "name" is given twice'),
    (6, "proof = required", 6, "not valid TOML: invalid value: put text in quotes"),
    (14, "[[community.unit", 14, "end the header with as many brackets as it begins with"),
    (14, "[[community.unit]", 14, "end the header with as many brackets as it begins with"),
]


@pytest.mark.parametrize(("line", "to", "named", "words"), BAD)
def test_a_mistake_is_named_with_its_line_and_its_cure(
    line: int, to: str, named: int, words: str, tmp_path: Path
) -> None:
    said = refusal(changed(line, to), tmp_path)
    assert said.startswith(f"alliance.toml, line {named}: ")
    assert words in said


def test_the_small_file_itself_is_good(tmp_path: Path) -> None:
    assert len(parsed(SMALL, tmp_path).communities) == 2


def test_a_single_community_with_single_brackets_is_told_to_take_two(tmp_path: Path) -> None:
    said = refusal('# one\n[community]\nkey = "a"\n', tmp_path)
    assert said == 'alliance.toml, line 2: "community" must be written as [[community]], with two brackets each side'


def test_a_circle_of_parents_is_named_from_one_of_its_members(tmp_path: Path) -> None:
    text = changed(6, 'parent = "south"') + '\n[[community]]\nkey = "x"\nname = "X"\nprefix = "X"\nparent = "north"\n'
    assert refusal(text, tmp_path).startswith("alliance.toml, line 6: north → south → north reports to itself")


def test_the_same_unit_and_district_keys_may_stand_in_two_communities(tmp_path: Path) -> None:
    more = '[[community.unit]]\nkey = "water"\nname = "W"\n[[community.district]]\nkey = "market"\nname = "M"\n'
    assert len(parsed(changed(25, more), tmp_path).communities[1].units) == 1


def test_a_contact_that_is_refused_is_not_shown(tmp_path: Path) -> None:
    assert "canary" not in refusal(changed(17, 'contact = "wechat://canary"'), tmp_path)


def test_a_missing_file_and_a_folder_are_one_line_each(tmp_path: Path) -> None:
    with pytest.raises(AllianceError, match=r"nowhere\.toml: no such file: copy bot/example/alliance\.toml"):
        read(tmp_path / "nowhere.toml")
    with pytest.raises(AllianceError, match=r"is a folder: name the file in it$"):
        read(tmp_path)


def test_a_file_in_another_encoding_names_the_line_where_it_shows(tmp_path: Path) -> None:
    file = tmp_path / "alliance.toml"
    file.write_bytes(changed(3, 'name = "水洞埭"').encode("gbk"))
    with pytest.raises(AllianceError, match=r"^alliance\.toml, line 3: not UTF-8 text: save the file as UTF-8$"):
        read(file)


@pytest.mark.parametrize("text", ["a = " + "[" * 100_000, "a = " + "9" * 5000, "a = \x00", '"', "[", "a.b.", "'''"])
def test_even_absurd_texts_end_in_one_line(text: str, tmp_path: Path) -> None:
    assert refusal(text, tmp_path).startswith("alliance.toml")


def test_every_line_left_out_of_the_example_gives_an_alliance_or_one_line(tmp_path: Path) -> None:
    lines = EXAMPLE.read_text(encoding="utf-8").splitlines()
    refused = 0
    for n in range(len(lines)):
        for instead in ([], [lines[n][: len(lines[n]) // 2]], [lines[n], lines[n]]):
            try:
                parsed("\n".join([*lines[:n], *instead, *lines[n + 1 :]]), tmp_path)
            except AllianceError as error:
                refused += 1
                assert len(str(error).splitlines()) == 1
                assert str(error).startswith("alliance.toml, line ")
    assert refused > len(lines)


TRICKY = '''\
# key = "a remark"
"quoted.name" = 1
'single "quoted"' = 2
a.b . "c" = 3
text = "a # no remark, [no array], \\" = no key"
long = """
[[not.a.table]]
inside = 1 \\"""
"quote at the end""""
literal = \'\'\'
also = "inside"
\'\'\'
empty = ""
numbers = [ # ]
  1,
  [2,
   3],
  "]", # a remark, with a comma
]
when = 1979-05-27 07:32:00Z # a date with a space
inline = { x = 1, "y.z" = [1, 2], w = { v = "}" } }

[[table]]
n = 0
[table.sub."dotted.name"]
deep = 1
[[table.rows]]
r = 0
[[table.rows]]
r = 1
 [[ table ]] # spaces
n = 1
[[table.rows]]
r = 2
[last]
z = 1
'''

WHERE: list[tuple[Place, int]] = [
    (("quoted.name",), 2),
    (('single "quoted"',), 3),
    (("a", "b", "c"), 4),
    (("text",), 5),
    (("long",), 6),
    (("literal",), 10),
    (("empty",), 13),
    (("numbers",), 14),
    (("numbers", 0), 15),
    (("numbers", 1), 16),
    (("numbers", 1, 1), 17),
    (("numbers", 2), 18),
    (("when",), 20),
    (("inline", "y.z", 1), 21),
    (("inline", "w", "v"), 21),
    (("table", 0), 23),
    (("table", 0, "n"), 24),
    (("table", 0, "sub", "dotted.name", "deep"), 26),
    (("table", 0, "rows", 1, "r"), 30),
    (("table", 1), 31),
    (("table", 1, "n"), 32),
    (("table", 1, "rows", 0, "r"), 34),
    (("last", "z"), 36),
]


@pytest.mark.parametrize(("place", "line"), WHERE)
def test_the_line_of_a_key_is_found_through_all_that_toml_allows(place: Place, line: int) -> None:
    assert Lines(TRICKY).of(place) == line


def test_every_value_that_tomllib_reads_has_a_line_of_its_own() -> None:
    for text in (TRICKY, SMALL, EXAMPLE.read_text(encoding="utf-8")):
        found = Lines(text)._found
        assert [place for place in places(tomllib.loads(text)) if place not in found] == []


def test_what_is_not_written_has_the_line_of_what_is_around_it() -> None:
    lines = Lines(TRICKY)
    assert lines.of(("table", 1, "rows", 0, "missing")) == 33
    assert lines.of(("nowhere",)) == 1


def places(found: object, place: Place = ()) -> Iterator[Place]:
    """The place of every table, key and array element of a parsed text."""
    if place:
        yield place
    inner = found.items() if isinstance(found, dict) else enumerate(found) if isinstance(found, list) else ()
    for name, value in inner:
        yield from places(value, (*place, name))
