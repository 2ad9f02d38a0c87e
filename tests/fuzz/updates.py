"""Updates as Telegram sends them, as it might, and as it never should: drawn as recipes, cooked against what stands in
the chats at that moment, so that presses hit buttons, replies hit cards and edits hit messages that are there."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

from bot.sandbox.world import ANONYMOUS_ADMIN
from bot.services.commanding import COMMANDS
from tests.fuzz.ground import HEXI, HEXI_OFFICE, HEXI_SECRETARY, HEXI_UNIT
from tests.fuzz.mill import Mill, through_json
from tests.fuzz.naughty import EVERY
from tests.fuzz.schema import DEFS, Draw, anything, integers, short_text
from tests.fuzz.wire import BOT_USER
from tests.town import (
    CHEN,
    GUANDI,
    HEBIN,
    LI,
    LIN,
    MARIA,
    NANSHI,
    OFFICE,
    OPERATOR,
    POWER,
    POWER_MAN,
    PROPERTY,
    STREET,
    TELECOM,
    URBAN,
    WANG,
    WATER,
    WATER_MAN,
    ZHANG,
    ZHOU,
)

DISTRICTS = (GUANDI, NANSHI, HEBIN, HEXI)
UNITS = (WATER, POWER, URBAN, TELECOM, PROPERTY, HEXI_UNIT)
OFFICES = (OFFICE, STREET, HEXI_OFFICE)
STRANGE = (-1009999999999, -4900000001, 600000001, ZHANG, LIN, OPERATOR, WATER_MAN)
"""A group bound to nothing, a basic group, private chats."""
CHATS = (*DISTRICTS, *DISTRICTS, *DISTRICTS, *UNITS, *OFFICES, *STRANGE)
PEOPLE = (ZHANG, LI, MARIA, WANG, LIN, CHEN, ZHOU, WATER_MAN, POWER_MAN, HEXI_SECRETARY, 500000302, OPERATOR, 600000001)
CLEAR = (
    "自来水井盖坏了",
    "路灯不亮",
    "垃圾成堆",
    "rubbish in the way",
    "manhole cover cracked",
    "路面破损",
    "占道堆物",
)
CHATTER = ("早上好", "谢谢", "吃了吗", "已修好", "see you", "not a report", "上报", "👍", "？")

words = st.one_of(st.sampled_from(CLEAR), st.sampled_from(CHATTER), st.sampled_from(EVERY), short_text)
people = st.sampled_from(PEOPLE)
chats = st.sampled_from(CHATS)
picks = st.integers(0, 10_000)
"""Which of what stands there: the newest is 0."""

KINDS = tuple(kind for kind in DEFS["Update"]["properties"] if kind != "update_id")
CONTENTS = (
    "text", "text", "text", "photo", "photo", "photo", "document", "live_photo", "location", "venue", "sticker", "poll",
    "video", "contact", "dice", "story", "nothing",
)  # fmt: skip


@dataclass
class Cooked:
    """An update as it is fed. `real`: Telegram itself could send it; `why` names what was done to it otherwise."""

    raw: Any
    why: str = ""

    @property
    def real(self) -> bool:
        return not self.why


@dataclass
class Kitchen:
    """What was fed so far, for whatever refers to it."""

    mill: Mill
    next_update: int = 100_000_000
    next_message: int = 1_000
    said: list[dict[str, Any]] = field(default_factory=list)
    fed: list[dict[str, Any]] = field(default_factory=list)

    def own(self, pick: int) -> dict[str, Any] | None:
        """A message of the bot's, the newest first; it may have gone since."""
        stood = [*self.mill.wire.stood.messages.values(), *self.mill.wire.stood.ephemeral.values()]
        return stood[-1 - pick % len(stood)] if stood else None

    def theirs(self, pick: int) -> dict[str, Any] | None:
        """A message of somebody's, the newest first."""
        return self.said[-1 - pick % len(self.said)] if self.said else None

    def number(self) -> int:
        self.next_update += 1
        return self.next_update

    def message(self) -> int:
        self.next_message += 1
        return self.next_message

    def frame(self, chat_id: int, sender: dict[str, Any]) -> dict[str, Any]:
        """What every message has: its time is the relay's own."""
        kind = "private" if chat_id > 0 else "group" if chat_id > -(10**12) else "supergroup"
        chat = {"id": chat_id, "type": kind, "first_name" if chat_id > 0 else "title": "…"}
        sent = int(self.mill.clock.at.timestamp())
        return {
            "message_id": self.message(),
            "date": sent,
            "chat": {**chat, **sender.get("_chat", {})},
            **_from(sender, chat),
        }

    def update(self, kind: str, body: dict[str, Any]) -> Cooked:
        if kind == "message":
            self.said.append(body)
        raw = {"update_id": self.number(), kind: body}
        self.fed.append(raw)
        return Cooked(through_json(raw))


Recipe = Callable[[Kitchen], list[Cooked]]


def _from(sender: dict[str, Any], chat: dict[str, Any]) -> dict[str, Any]:
    match sender.get("as"):
        case "anonymous":
            return {"from": ANONYMOUS_ADMIN, "sender_chat": chat}
        case "channel":
            stand_in = {"id": 136817688, "is_bot": True, "first_name": "Channel", "username": "Channel_Bot"}
            return {"from": stand_in, "sender_chat": {"id": -1005555555555, "type": "channel", "title": sender["name"]}}
        case "bot":
            return {"from": {"id": 777000111, "is_bot": True, "first_name": sender["name"], "username": "another_bot"}}
        case "nobody":
            return {}
    return {"from": user(sender)}


def user(sender: dict[str, Any]) -> dict[str, Any]:
    made = {"id": sender["id"], "is_bot": False, "first_name": sender["name"]}
    return made | {key: sender[key] for key in ("last_name", "username", "language_code") if key in sender}


def draw_sender(draw: Draw) -> dict[str, Any]:
    how = draw(st.sampled_from(["", "", "", "", "", "", "", "anonymous", "channel", "bot", "nobody"]))
    sender = {"as": how, "id": draw(people), "name": draw(st.one_of(st.sampled_from(["张师傅", "Maria"]), words))}
    for key in ("last_name", "username", "language_code"):
        if draw(st.integers(0, 5)) == 0:
            sender[key] = draw(short_text)
    if draw(st.integers(0, 5)) == 0:
        sender["_chat"] = {"title": draw(words)}
    return sender


def draw_content(draw: Draw) -> dict[str, Any]:
    kind = draw(st.sampled_from(CONTENTS))
    made: dict[str, Any] = {}
    file = {"file_id": f"AgAC{draw(picks)}", "file_unique_id": f"AQAD{draw(picks)}"}
    match kind:
        case "text":
            made = {"text": draw(words)}
        case "photo":
            sizes = [{**file, "width": side, "height": side} for side in (90, 1280)]
            made = {"photo": sizes[: draw(st.sampled_from([2, 2, 2, 1, 0]))]}
        case "document":
            mime = st.sampled_from(["image/jpeg", "image/png", "image/heic", "application/pdf", "IMAGE/JPEG", ""])
            made = {"document": {**file, "mime_type": draw(mime), "file_name": draw(short_text)}}
        case "live_photo":
            film = {**file, "width": 1280, "height": 960, "duration": 3}
            made = {"live_photo": {**film, "photo": [{**file, "width": 1280, "height": 960}]}}
        case "location" | "venue":
            spot = {"latitude": draw(st.floats(-90, 90)), "longitude": draw(st.floats(-180, 180))}
            made = {"location": spot}
            if kind == "venue":
                made["venue"] = {"location": spot, "title": draw(words), "address": draw(words)}
        case "nothing":
            pass
        case other:
            made = {other: anything(draw, DEFS["Message"]["properties"][other]["$ref"].rsplit("/", 1)[1], 2)}
    if "text" not in made and draw(st.booleans()):
        made["caption"] = draw(words)
    if draw(st.integers(0, 6)) == 0:
        # Whatever else a message may carry: services, gifts, polls, checklists; but not another conversation.
        left_out = {"message_id", "chat", "from", "date", "text", "photo", "reply_to_message", "sender_chat"}
        names = sorted(DEFS["Message"]["properties"].keys() - left_out - {"migrate_to_chat_id", "migrate_from_chat_id"})
        for name in draw(st.lists(st.sampled_from(names), max_size=2)):
            made.setdefault(name, anything_of(draw, name))
    return made


def anything_of(draw: Draw, field_name: str) -> Any:
    from tests.fuzz.schema import value

    return value(draw, DEFS["Message"]["properties"][field_name], field_name, 1)


def draw_message(draw: Draw) -> Recipe:
    chat_id, sender, content = draw(chats), draw_sender(draw), draw_content(draw)
    return lambda kitchen: [kitchen.update("message", {**kitchen.frame(chat_id, sender), **content})]


def draw_album(draw: Draw) -> Recipe:
    chat_id, sender, caption = draw(chats), draw_sender(draw), draw(words)
    group, size, reply = f"g{draw(st.integers(0, 50))}", draw(st.integers(2, 4)), draw(st.one_of(st.none(), picks))

    def cook(kitchen: Kitchen) -> list[Cooked]:
        found = kitchen.own(reply) if reply is not None else None
        made = []
        for at in range(size):
            body = kitchen.frame(found["chat"]["id"] if found else chat_id, sender)
            photo = [{"file_id": f"a{body['message_id']}", "file_unique_id": "u", "width": 9, "height": 9}]
            body |= {"media_group_id": group, "photo": photo}
            if at == 0:
                body |= {"caption": caption} | ({"reply_to_message": _quoted(found)} if found else {})
            made.append(kitchen.update("message", body))
        return made

    return cook


def draw_reply(draw: Draw) -> Recipe:
    to_bot, pick, sender, content = draw(st.integers(0, 3)) > 0, draw(picks), draw_sender(draw), draw_content(draw)
    elsewhere = draw(st.one_of(st.none(), st.none(), st.none(), chats))

    def cook(kitchen: Kitchen) -> list[Cooked]:
        found = kitchen.own(pick) if to_bot else kitchen.theirs(pick)
        if found is None:
            return []
        body = kitchen.frame(elsewhere or found["chat"]["id"], sender)
        return [kitchen.update("message", {**body, **content, "reply_to_message": _quoted(found)})]

    return cook


def _quoted(message: dict[str, Any]) -> dict[str, Any]:
    """As Telegram shows a message in a reply: without what it replied to itself."""
    return {key: value for key, value in message.items() if key not in ("reply_to_message", "ephemeral_message_id")}


def draw_press(draw: Draw) -> Recipe:
    pick, button, sender = draw(picks), draw(picks), draw_sender(draw)
    change = draw(
        st.sampled_from(["", "", "", "", "", "data", "incident", "place", "bare", "inline", "game", "choice"])
    )
    other, elsewhere = draw(st.one_of(short_text, st.sampled_from(ODD_DATA))), draw(chats)
    number = draw(st.one_of(st.integers(0, 60), integers))

    def cook(kitchen: Kitchen) -> list[Cooked]:
        message = kitchen.own(pick)
        if message is None:
            return []
        datas = [
            each["callback_data"]
            for row in message.get("reply_markup", {}).get("inline_keyboard", [])
            for each in row
            if "callback_data" in each
        ]
        data = datas[button % len(datas)] if datas else "a:1:accept:"
        body = {
            "id": str(kitchen.message()),
            "from": user(sender),
            "chat_instance": "1",
            "message": message,
            "data": data,
        }
        pieces = data.split(":")
        match change:
            case "data":
                body["data"] = other
            case "incident":
                body["data"] = ":".join([pieces[0], str(number), *pieces[2:]])
            case "choice":
                body["data"] = ":".join([*pieces[:-1], other])[:64]
            case "place":
                body["message"] = {**message, "chat": {"id": elsewhere, "type": "supergroup", "title": "?"}}
            case "bare":
                body["message"] = {"chat": message["chat"], "message_id": message["message_id"], "date": 0}
            case "inline":
                body |= {"inline_message_id": "AAAA"}
                del body["message"]
            case "game":
                body |= {"game_short_name": "chess"}
                del body["data"]
        return [kitchen.update("callback_query", body)]

    return cook


ODD_DATA = (
    "", ":", ":::", "a", "a:1", "a:1:accept", "a:1:accept:x:y", "a:-1:accept:", "a:１:accept:", "a:²:accept:",
    "a:999999999:accept:", "a:9999999999999999999999:accept:", "a:1:ACCEPT:", "a:1:undo:", "a:1:comment:", "a:1:park:",
    "a:1:merge:2", "a:1:dispatch:-1", "a:1:dispatch:999999999", "a:1:dispatch:٣", "a:1:file:nothing", "a:1:file:",
    "a:1:say_fixed:maybe", "a:1:return:because", "m:1:return:", "m:1:nothing:", "m:1::", "m:999:more:", "o:1::",
    "o:0::",
    "p:0:queue:-1", "p:0:queue:99999999999", "p:0:queue:٣", "p:0:queue:999999999", "b:0::o1", "b:0::u9999", "b:0::x1",
    "b:0::d", "b:0::o٣", "z:1:accept:", "A:1:accept:", "a:1:accept:" + "x" * 53, "\x00" * 64, "井" * 21, "a:1:\ud800:",
)  # fmt: skip


def draw_command(draw: Draw) -> Recipe:
    name = draw(st.sampled_from([*COMMANDS, *COMMANDS, "unknown", "", "REPORT", "I"]))
    at = draw(st.sampled_from(["", "", "", "@alliance_relay_bot", "@OtherBot", "@", "@ALLIANCE_RELAY_BOT"]))
    rest = draw(st.one_of(st.sampled_from(ARGUMENTS), words))
    chat_id, sender, pick = draw(chats), draw_sender(draw), draw(st.one_of(st.none(), st.none(), picks))
    photo, kind = draw(st.integers(0, 5)) == 0, draw(st.sampled_from(["message"] * 6 + ["edited_message"]))

    def cook(kitchen: Kitchen) -> list[Cooked]:
        body = kitchen.frame(chat_id, sender)
        text = f"/{name}{at} {rest}"
        body |= (
            {"caption": text, "photo": [{"file_id": "p", "file_unique_id": "u", "width": 9, "height": 9}]}
            if photo
            else {"text": text}
        )
        found = kitchen.theirs(pick) if pick is not None else None
        if found is not None:
            body |= {"reply_to_message": _quoted(found), "chat": found["chat"]}
        return [kitchen.update(kind, body)]

    return cook


ARGUMENTS = (
    "", "1", "SD-2026-0001", "sd-2026-1", "HX-2026-0001", "2026-1", "0", "-1", "99999999", "%", "_", "水", "noodles",
    "zh", "en", "xx", "o1", "d1", "u1", "o2", "d4", "u9", "张记面馆,中山路 12 号", "Name, <b>address</b>", ",",
    "a" * 200,
)  # fmt: skip


def draw_edit(draw: Draw) -> Recipe:
    pick, text = draw(picks), draw(words)

    def cook(kitchen: Kitchen) -> list[Cooked]:
        message = kitchen.theirs(pick)
        if message is None:
            return []
        key = "text" if "text" in message else "caption"
        return [kitchen.update("edited_message", {**message, key: text, "edit_date": message["date"] + 5})]

    return cook


def draw_membership(draw: Draw) -> Recipe:
    chat_id, sender = draw(chats), draw_sender(draw)
    before, after = anything(draw, "ChatMember", 2), anything(draw, "ChatMember", 2)

    def cook(kitchen: Kitchen) -> list[Cooked]:
        frame = kitchen.frame(chat_id, sender)
        old, new = {**before, "user": BOT_USER}, {**after, "user": BOT_USER}
        body = {"chat": frame["chat"], "from": user(sender), "date": frame["date"]}
        return [kitchen.update("my_chat_member", {**body, "old_chat_member": old, "new_chat_member": new})]

    return cook


def draw_migration(draw: Draw) -> Recipe:
    chat_id, sender, order = (
        draw(chats),
        draw_sender(draw),
        draw(st.sampled_from(["both", "first", "second", "turned"])),
    )
    heir = draw(st.sampled_from([-1002000000000 - n for n in range(4)]))

    def cook(kitchen: Kitchen) -> list[Cooked]:
        if chat_id > 0:
            return []
        farewell = {**kitchen.frame(chat_id, sender), "migrate_to_chat_id": heir}
        welcome = {**kitchen.frame(heir, sender), "migrate_from_chat_id": chat_id}
        told = {"both": (farewell, welcome), "first": (farewell,), "second": (welcome,), "turned": (welcome, farewell)}
        return [kitchen.update("message", body) for body in told[order]]

    return cook


def draw_other(draw: Draw) -> Recipe:
    """Any kind of update at all, as the schema has it; most of them mean nothing here."""
    kind = draw(st.sampled_from(KINDS))
    body = anything(draw, DEFS["Update"]["properties"][kind]["$ref"].rsplit("/", 1)[1])
    return lambda kitchen: [kitchen.update(kind, body)]


def draw_again(draw: Draw) -> Recipe:
    """An update that was delivered before, or another one under its number."""
    pick, same = draw(picks), draw(st.booleans())
    inner = draw_message(draw)

    def cook(kitchen: Kitchen) -> list[Cooked]:
        if not kitchen.fed:
            return []
        raw = kitchen.fed[-1 - pick % len(kitchen.fed)]
        if same:
            return [Cooked(through_json(raw))]
        return [Cooked({**each.raw, "update_id": raw["update_id"]}) for each in inner(kitchen)]

    return cook


def draw_far(draw: Draw) -> Recipe:
    """Numbers of updates that jump: after a quiet week Telegram begins anew somewhere else."""
    jump = draw(st.sampled_from([-50, -99_999_999, 1_000_000, 2**31, 2**40]))
    inner = draw_message(draw)

    def cook(kitchen: Kitchen) -> list[Cooked]:
        return [Cooked({**each.raw, "update_id": max(each.raw["update_id"] + jump, 0)}) for each in inner(kitchen)]

    return cook


WRONG = (
    None,
    "",
    "x",
    0,
    -1,
    1.5,
    2**63,
    2**200,
    -(2**63) - 1,
    True,
    [],
    {},
    [[]],
    {"a": {}},
    "\ud800",
    "\x00",
    [None],
)


def draw_broken(draw: Draw) -> Recipe:
    """A real update with one thing in it gone or of another kind."""
    inner = draw(st.sampled_from([draw_message, draw_press, draw_reply, draw_membership, draw_edit, draw_command]))(
        draw
    )
    way, drop, instead = (
        draw(st.lists(picks, min_size=1, max_size=6)),
        draw(st.booleans()),
        draw(st.sampled_from(WRONG)),
    )

    def cook(kitchen: Kitchen) -> list[Cooked]:
        found = inner(kitchen)
        return [Cooked(break_at(each.raw, way, drop, instead), f"broken with {instead!r:.20}") for each in found]

    return cook


def break_at(raw: Any, way: list[int], drop: bool, instead: Any) -> Any:
    """`raw` with one place in it left out or replaced: the one that `way` leads to."""
    made = through_json(raw)
    place, key = made, "update_id"
    for step in way:
        inside = place if isinstance(place, dict) else dict(enumerate(place))
        if not inside:
            break
        key = list(inside)[step % len(inside)]
        if not isinstance(inside[key], dict | list) or not inside[key]:
            break
        if step != way[-1]:
            place = inside[key]
    if drop and isinstance(place, dict):
        place.pop(key, None)
    elif key in place or isinstance(place, list):
        place[key] = instead
    return made


def draw_no_update(draw: Draw) -> Recipe:
    """What is no update at all."""
    raw = draw(st.sampled_from(NO_UPDATES))
    return lambda kitchen: [Cooked(through_json(raw), "no update")]


NO_UPDATES: tuple[Any, ...] = (
    None, 7, "x", [], {}, [1, 2], True, {"update_id": None}, {"update_id": "7"}, {"update_id": "x"}, {"update_id": []},
    {"update_id": {}}, {"update_id": -5}, {"update_id": 2**63}, {"update_id": 2**200}, {"update_id": 1.5},
    {"update_id": True}, {"message": {}}, {"update_id": 5}, {"update_id": 6, "message": None},
    {"update_id": 8, "message": []}, {"update_id": 9, "message": "x"}, {"update_id": 10, "callback_query": []},
    {"update_id": 11, "message": {"chat": []}}, {"update_id": 12, "message": {"chat": {"id": "x"}}},
    {"update_id": 13, "message": {"chat": {"id": {}}}}, {"update_id": 14, "brand_new_kind": {"x": 1}},
    {"update_id": 15, "callback_query": {"message": {"chat": 5}}}, {"update_id": "16", "message": {"text": "\ud800"}},
)  # fmt: skip

COMMON = (draw_message,) * 6 + (draw_reply,) * 4 + (draw_press,) * 6 + (draw_command,) * 3 + (draw_edit,) * 2
RARE = (
    *(draw_album, draw_album, draw_membership, draw_migration, draw_other, draw_other, draw_again, draw_far),
    *(draw_broken, draw_broken, draw_no_update),
)


@st.composite
def batches(draw: Draw, size: int) -> list[Recipe]:
    """`size` recipes: of a list as long as it likes hypothesis draws five."""
    kinds = draw(st.lists(st.sampled_from((*COMMON, *RARE)), min_size=size, max_size=size))
    return [kind(draw) for kind in kinds]
