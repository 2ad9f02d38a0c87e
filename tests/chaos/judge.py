"""Says, when all has come to rest, whether anything was lost, done twice, or is shown other than it is.

It reads the rows, what stands in the emulator's chats, and what the people of the load remember; each finding is a
sentence. What the program would render now is asked of the program's own views.
"""

import html
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlmodel import Session, select

from bot.domain.acts import ACTS, Act, Status
from bot.services.desk import Desk, Ground
from bot.services.showing import _shape
from bot.views.content import Content, Reaction, Shape
from storage.tables import Event, Incident, Part, Post
from tests.chaos.load import Memory, Message, Press
from tests.town import BOT, words

NUMBER = re.compile(r"\b([A-Z]{2})-(\d{4})-(\d{4,})\b")


@dataclass(frozen=True)
class Unknown:
    """A first send of which nobody knew, when the relay was killed, whether it had arrived. `lease` tells one attempt
    from another: a relay that is killed while it starts leaves the attempts of the one before it as they were."""

    post: int
    chat: int
    kind: str
    lease: int


@dataclass
class Verdict:
    findings: list[str] = field(default_factory=list)
    reports: int = 0
    incidents: int = 0
    acts: int = 0
    events: int = 0
    posts: int = 0
    doubled_told: int = 0
    """As the program counts them: sum of post.doubled."""
    doubled_seen: int = 0
    """Messages that stand in the chats beyond those the program knows."""
    unknown: int = 0
    """First sends on their way at a kill."""

    def expect(self, holds: bool, told: str) -> None:
        if not holds:
            self.findings.append(told)


@dataclass(frozen=True)
class Case:
    """All that is judged. `chats`: every message of each chat, deleted ones included."""

    ground: Ground
    now: datetime
    memory: Memory
    unknown: frozenset[Unknown]
    chats: dict[int, list[Message]]
    winds: tuple[float, ...] = ()
    """By how many seconds the clock was wound at a time: what was rendered before and sent after is that much older."""


def judge(session: Session, case: Case) -> Verdict:
    """The verdict over rows, chats and memory; to be asked when nothing is due any more."""
    verdict = Verdict()
    incidents = {incident.ident: incident for incident in session.exec(select(Incident)).all()}
    parts = session.exec(select(Part)).all()
    events = defaultdict[int, list[Event]](list)
    for event in session.exec(select(Event).order_by(Event.id)).all():  # type: ignore[arg-type]
        events[event.incident_id].append(event)
    posts = session.exec(select(Post)).all()
    verdict.reports, verdict.incidents = len(case.memory.reports), len(incidents)
    verdict.acts, verdict.events, verdict.posts = case.memory.acts(), sum(map(len, events.values())), len(posts)
    _reports(verdict, case.memory, incidents, parts)
    _numbers(verdict, incidents.values())
    _replies(verdict, case.memory, incidents, parts, events)
    # Of what was no report nothing is kept, its history included.
    forgotten = {each.ident for each in incidents.values() if each.status == Status.VOID and each.number is None}
    _presses(verdict, case.memory, events, forgotten)
    for incident in incidents.values():
        if incident.id not in forgotten:
            _history(verdict, incident, events[incident.ident])
    for post in posts:
        _up_to_date(verdict, post, case.now)
    _shown(verdict, session, case, posts, events)
    _doubled(verdict, case, posts, incidents)
    return verdict


def _reports(verdict: Verdict, memory: Memory, incidents: dict[int, Incident], parts: Iterable[Part]) -> None:
    """Every report has exactly one incident, and no incident came from nowhere."""
    of_message = {(part.chat_id, part.message_id): part.incident_id for part in parts}
    taken = dict[int, tuple[int, ...]]()
    erased = 0
    for report in memory.reports:
        found = [of_message.get((report.chat, message)) for message in report.messages]
        kept = {each for each in found if each is not None}
        if not kept:
            erased += 1
            verdict.expect(not report.clear, f"report {report} has no incident")
            continue
        verdict.expect(None not in found, f"of report {report} only some pictures are kept: {found}")
        verdict.expect(len(kept) == 1, f"report {report} became incidents {kept}")
        first = min(kept)
        verdict.expect(first not in taken, f"reports {report.messages} and {taken.get(first)} share incident {first}")
        taken[first] = report.messages
    # What its author said to be no report leaves an empty, unnumbered row.
    empty = [each for each in incidents.values() if each.id not in taken]
    for incident in empty:
        void = incident.status == Status.VOID and incident.number is None
        verdict.expect(void, f"incident {incident.id} ({incident.status}, {incident.number}) belongs to no report")
    verdict.expect(len(empty) == erased, f"{erased} reports were taken back, {len(empty)} incidents are empty")


def _numbers(verdict: Verdict, incidents: Iterable[Incident]) -> None:
    """Without a gap, none twice."""
    given = defaultdict[tuple[str, str], list[int]](list)
    for incident in incidents:
        if incident.number is not None:
            prefix, year, number = incident.number.split("-")
            given[prefix, year].append(int(number))
    for (prefix, year), numbers in given.items():
        # A year may have turned while the clock was wound.
        verdict.expect(
            sorted(numbers) == list(range(1, len(numbers) + 1)), f"{prefix}-{year} numbers: {sorted(numbers)}"
        )


def _replies(
    verdict: Verdict,
    memory: Memory,
    incidents: dict[int, Incident],
    parts: Iterable[Part],
    events: dict[int, list[Event]],
) -> None:
    """An answer was taken in once; where the one who gave it stayed in charge, it was taken in."""
    by_number = {incident.number: incident for incident in incidents.values() if incident.number}
    kept = {(part.chat_id, part.message_id): part for part in parts}
    for reply in memory.replies:
        number = NUMBER.search(reply.answered)
        incident = by_number.get(number.group()) if number else None
        if incident is None:
            continue
        moved = any(event.act in ("return", "reassign", "undo", "not_a_report") for event in events[incident.ident])
        part = kept.get((reply.chat, reply.message))
        if part is None:
            verdict.expect(moved, f"reply {reply} to {incident.number} was lost")
        else:
            verdict.expect(part.incident_id == incident.id, f"reply {reply} went to incident {part.incident_id}")
    known = {(reply.chat, reply.message) for reply in memory.replies} | set(memory.chatter)
    known |= {(report.chat, message) for report in memory.reports for message in report.messages}
    for place in kept:
        verdict.expect(place in known, f"part {place} was never written by anybody")


TWICE = ("say_fixed", "ask_reopen")
"""Acts that may be said again without a second event."""


def _presses(verdict: Verdict, memory: Memory, events: dict[int, list[Event]], forgotten: set[int]) -> None:
    """What was answered as done was done; nothing was done more often than somebody asked for it."""
    pressed = defaultdict[tuple[int, str, int], list[Press]](list)
    for press in memory.presses:
        if press.incident in forgotten:
            continue
        pressed[press.incident, press.act, press.person].append(press)
    shown = Counter[tuple[int, int]]()
    for reply in memory.replies:
        if reply.picture:
            shown[reply.person, reply.chat] += 1
    happened = Counter((event.incident_id, event.act, event.actor_id) for own in events.values() for event in own)
    for (incident, act, person), presses in pressed.items():
        done = sum(press.outcome == "done" for press in presses)
        most = sum(press.outcome in ("done", "lost") for press in presses)
        found = happened[incident, act, person]
        if act in TWICE:
            done = min(done, 1)
        verdict.expect(
            found >= done, f"{act} of {incident} by {person}: answered as done {done} times, happened {found}"
        )
        if act != Act.RESOLVE:
            verdict.expect(found <= most, f"{act} of {incident} by {person}: asked {most} times, happened {found}")
    for incident, act, person in happened:
        spoken = incident in forgotten or act in ("caught", "edited", str(Act.COMMENT), str(Act.RESOLVE))
        if person and not spoken:
            verdict.expect((incident, act, person) in pressed, f"{act} of {incident} by {person}: nobody pressed")
    answered = Counter((reply.person) for reply in memory.replies if not reply.picture)
    said = Counter(event.actor_id for own in events.values() for event in own if event.act == Act.COMMENT)
    for person, found in said.items():
        verdict.expect(found <= answered[person], f"{person} wrote {answered[person]} remarks, {found} were noted")
    mended = Counter(event.actor_id for own in events.values() for event in own if event.act == Act.RESOLVE)
    photos = Counter(reply.person for reply in memory.replies if reply.picture)
    asked = Counter(press.person for press in memory.presses if press.act == Act.RESOLVE)
    for person, found in mended.items():
        verdict.expect(
            found <= photos[person] + asked[person], f"{person} resolved {found} times, by {photos[person]} photos"
        )


def _history(verdict: Verdict, incident: Incident, events: list[Event]) -> None:
    """The events are one unbroken way through the table of acts, and the incident stands at its end."""
    at = str(Status.DRAFT)
    verdict.expect([event.act for event in events].count("caught") == 1, f"incident {incident.id} was not caught once")
    for event in events:
        verdict.expect(event.before == at, f"incident {incident.id}: {event.act} found {event.before}, not {at}")
        if event.act in set(Act) and event.act != Act.UNDO:
            moves = ACTS[Act(event.act)].moves
            allowed = moves.get(Status(event.before))
            verdict.expect(
                allowed is not None and event.after == allowed,
                f"incident {incident.id}: {event.act} led from {event.before} to {event.after}",
            )
        at = event.after
    verdict.expect(incident.status == at, f"incident {incident.id} is {incident.status}, its history ends with {at}")
    done = Counter(event.act for event in events)
    undone = Counter(event.what for event in events if event.act == Act.UNDO)
    sent = done[Act.DISPATCH] + done[Act.REASSIGN]
    verdict.expect(
        incident.dispatches == sent, f"incident {incident.id}: {incident.dispatches} dispatches, {sent} said"
    )
    rework = done[Act.SEND_BACK] - undone[Act.SEND_BACK]
    verdict.expect(incident.rework == rework, f"incident {incident.id}: rework {incident.rework}, {rework} said")


def _up_to_date(verdict: Verdict, post: Post, now: datetime) -> None:
    """Every post reached its last version, or is away for a reason that has a name."""
    name = f"post {post.id} ({post.kind} in {post.chat_id}, {post.state})"
    if post.state in ("gone", "held"):
        return
    verdict.expect(post.state == "shown", f"{name} is not shown: {post.error}")
    verdict.expect(post.shown == post.wanted, f"{name} shows version {post.shown} of {post.wanted}")
    verdict.expect(post.due_at is None or post.due_at > now, f"{name} has been due since {post.due_at}")
    verdict.expect(post.lease is None, f"{name} still holds a lease")


def _shown(
    verdict: Verdict, session: Session, case: Case, posts: Iterable[Post], events: dict[int, list[Event]]
) -> None:
    """What stands in the chats is what the program would say now."""
    standing = _standing(case.chats)
    reactions = {(chat, each["message_id"]): each.get("reactions") or [] for chat, each in _all(case.chats)}
    first = dict[str, tuple[int, int]]()
    for chat, each in _all(case.chats):
        first.setdefault(each.get("media_group_id") or f"{chat}:{each['message_id']}", (chat, each["message_id"]))
    pieces = {
        (chat, each["message_id"]): first[each["media_group_id"]]
        for chat, each in _all(case.chats)
        if each.get("media_group_id")
    }
    for post in posts:
        if post.state != "shown":
            continue
        name = f"post {post.id} ({post.kind} in {post.chat_id})"
        shape = _at(session, case, post, case.now)
        if isinstance(shape, Reaction):
            # On an album it lands on the first piece.
            place = (post.chat_id, post.reply_to or 0)
            seen = reactions.get(pieces.get(place, place), [])
            wanted = [shape.emoji] if shape.emoji else []
            verdict.expect(seen == wanted, f"{name}: the reaction is {seen}, not {wanted}")
        elif isinstance(shape, Content):
            found = [
                standing.get((post.chat_id, post.user_id if post.ephemeral else None, each))
                for each in post.message_ids
            ]
            messages = [each for each in found if each is not None]
            verdict.expect(len(messages) == len(found) > 0, f"{name}: {post.message_ids} do not all stand there")
            if messages and len(messages) == len(found):
                for told in _differs(session, case, post, shape, messages, events):
                    verdict.findings.append(f"{name}: {told}")
        else:
            verdict.expect(post.kind == "menu", f"{name} should have gone")


def _differs(
    session: Session,
    case: Case,
    post: Post,
    shape: Content,
    messages: list[Message],
    events: dict[int, list[Event]],
) -> Iterator[str]:
    if shape.album:
        if len(messages) != len(shape.pictures):
            yield f"{len(messages)} pictures stand there, {len(shape.pictures)} belong to it"
        return
    message = messages[0]
    wanted = [button.data or button.url for row in shape.rows for button in row]
    rows = (message.get("reply_markup") or {}).get("inline_keyboard", [])
    offered = [button.get("callback_data") or button.get("url") for row in rows for button in row]
    if offered != wanted:
        yield f"its buttons are {offered}, not {wanted}"
    # The other way round is no fault: a picture cannot be taken out of a message again (an undone confirmation).
    if shape.pictures and not message.get("photo"):
        yield f"it shows no picture, though it has {shape.pictures}"
    told = words(message).strip()
    if told == _plain(shape.text):
        return
    # Minutes left and dates were right when it was rendered last.
    tried = set()
    for moment in _moments(case, message, events.get(post.incident_id or 0, [])):
        then = _at(session, case, post, moment)
        tried.add(_plain(then.text) if isinstance(then, Content) else "")
        if told in tried:
            return
    yield f"it says {told!r}, not {_plain(shape.text)!r}"


def _moments(case: Case, message: Message, events: list[Event]) -> Iterator[datetime]:
    """When it may have been rendered: a moment before it came or was changed, or when something happened."""
    for stamp in (message.get("edit_date"), message["date"]):
        if stamp:
            for back in (*range(8), *(wind + late for wind in case.winds for late in range(3))):
                yield datetime.fromtimestamp(stamp + 0.9 - back, UTC)
    for event in events:
        for after in (0, 1, 2, 3, 61, 62, 63):
            yield event.at + timedelta(seconds=after)


def _at(session: Session, case: Case, post: Post, now: datetime) -> Shape:
    return _shape(Desk(session, case.ground, now), post)


def _plain(text: str) -> str:
    return html.unescape(re.sub(r"<[^>]+>", "", text)).strip()


def _all(chats: dict[int, list[Message]]) -> Iterator[tuple[int, Message]]:
    for chat, messages in chats.items():
        for message in messages:
            if not message.get("deleted"):
                yield chat, message


Place = tuple[int, int | None, int]
"""(chat, the person who alone sees it, message id, which for such a message counts for each receiver)"""


def _standing(chats: dict[int, list[Message]]) -> dict[Place, Message]:
    """The bot's messages that have not been deleted."""
    return {_place(chat, each): each for chat, each in _all(chats) if each.get("from", {}).get("id") == BOT}


def _place(chat: int, message: Message) -> Place:
    receiver = message.get("receiver_user", {}).get("id")
    return chat, receiver, message["ephemeral_message_id"] if receiver else message["message_id"]


def _doubled(verdict: Verdict, case: Case, posts: Iterable[Post], incidents: dict[int, Incident]) -> None:
    """A message beyond those the program knows is one that was on its way at a kill, and the program counted it."""
    known = {
        (post.chat_id, post.user_id if post.ephemeral else None, each)
        for post in posts
        for each in post.message_ids
        if post.state != "gone"
    }
    on_its_way = Counter(unknown.post for unknown in case.unknown)
    left = {post.ident: post.doubled for post in posts if post.doubled}
    by_id = {post.ident: post for post in posts}
    for number in sorted({*on_its_way, *left}):
        post = by_id.get(number)
        if post is None:
            verdict.findings.append(f"post {number}, on its way at a kill, is no more")
            continue
        verdict.expect(
            post.doubled == on_its_way[number],
            f"post {number} ({post.kind} in {post.chat_id}, {post.state}): on its way at {on_its_way[number]} kills, "
            f"counted {post.doubled} times",
        )
    verdict.unknown, verdict.doubled_told = sum(on_its_way.values()), sum(left.values())
    strays = list(_strays(case, known))
    verdict.doubled_seen = len(strays)
    able = [[each for each in left if _speaks_of(by_id[each], message, place, incidents)] for place, message in strays]
    for stray in _unowned(able, left):
        place, message = strays[stray]
        verdict.findings.append(f"nobody counted the message {place}: {words(message)[:60]!r}")


def _strays(case: Case, known: Collection[Place]) -> Iterator[tuple[Place, Message]]:
    """The bot's messages that no post knows, an album once."""
    albums = set()
    for place, message in _standing(case.chats).items():
        album = message.get("media_group_id")
        if place not in known and (not album or album not in albums):
            albums.add(album)
            yield place, message


def _unowned(able: Sequence[Sequence[int]], left: Mapping[int, int]) -> Iterator[int]:
    """Those of the messages that find no post, however they are shared out. `able`: whose each may be; `left`: how many
    each post may have."""
    owned: dict[int, list[int]] = {post: [] for post in left}

    def settle(message: int, asked: set[int]) -> bool:
        for post in able[message]:
            if post in asked:
                continue
            asked.add(post)
            if len(owned[post]) < left[post]:
                owned[post].append(message)
                return True
            for other in owned[post]:
                if settle(other, asked):
                    owned[post][owned[post].index(other)] = message
                    return True
        return False

    return (message for message in range(len(able)) if not settle(message, set()))


def _speaks_of(post: Post, message: Message, place: Place, incidents: dict[int, Incident]) -> bool:
    """Whether a message may be an earlier send of this post."""
    if post.chat_id != place[0] or (post.user_id if place[1] else None) != place[1]:
        return False
    if post.kind == "album":
        return bool(message.get("photo")) and not words(message)
    if post.kind == "prompt":
        return True
    incident = incidents.get(post.incident_id or 0)
    number = NUMBER.search(words(message))
    if incident is None or number is None:
        return bool(words(message))
    return number.group() == incident.number


def loaded(state: dict[str, Any]) -> dict[int, list[Message]]:
    """The chats of the emulator's state."""
    return {int(chat): messages for chat, messages in state["messages"].items()}
