"""What the commands do: each answers with one message, for the asker alone where others would be disturbed."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from bot.domain.rights import Actor, Scope, may_bind, scope
from bot.domain.words import N_
from bot.services import binding as bindings
from bot.services import intake, looking
from bot.services.desk import Desk
from bot.services.incoming import Incoming
from bot.services.people import actor, chat, remember
from bot.services.posting import add_notice
from bot.speech import LANGUAGES
from bot.views.sentences import status_name
from storage import chats
from storage.chats import known_chat
from storage.incidents import last_community_of
from storage.posts import post_of_message
from storage.tables import Binding, Community, Incident, Person, Shop

APART = re.compile("[,;\\n\uff0c\uff1b\u3001]")
"""What stands between a shop's name and its address, in Chinese as in English."""


@dataclass(frozen=True)
class Asked:
    """A command as it was written. `earlier` is the message it replies to; `key` names the update it came in."""

    name: str
    words: str
    incoming: Incoming
    key: str
    title: str = ""
    earlier: Incoming | None = None

    @property
    def private(self) -> bool:
        return self.incoming.chat_id > 0


def command(desk: Desk, asked: Asked) -> None:
    """Do a command; one that nobody knows is chatter."""
    work = COMMANDS.get(asked.name)
    if work is not None:
        remember(desk, asked.incoming.visitor, started=asked.private)
        work(desk, asked)


def _say(desk: Desk, asked: Asked, sentence: str, **values: object) -> None:
    _show(desk, asked, "note", sentence=sentence, values={name: str(value) for name, value in values.items()})


def _show(desk: Desk, asked: Asked, view: str, everybody: bool = False, **args: Any) -> None:
    """`everybody`: the answer stays for the whole chat (the office's lists), else it is for the asker and goes."""
    hidden = asked.incoming.visitor.hidden
    alone = not asked.private and not everybody
    add_notice(
        desk,
        asked.incoming.chat_id,
        view,
        asked.key,
        thread_id=asked.incoming.thread_id,
        reply_to=None if asked.private else asked.incoming.message_id,
        user_id=asked.incoming.visitor.user_id if alone and not hidden else None,
        remove_after=timedelta(minutes=2) if alone else None,
        language=asked.incoming.visitor.language,
        **args,
    )


def _here(desk: Desk, asked: Asked) -> Binding | None:
    return None if asked.private else known_chat(desk.session, asked.incoming.chat_id)


def _scoped(desk: Desk, asked: Asked) -> Scope | None:
    """What the asker may look at here; says so when it is nothing."""
    found = scope(_actor(desk, asked), chat(desk, asked.incoming.chat_id, _here(desk, asked)))
    if found is None:
        _say(desk, asked, N_("This is for the office and the units. /my shows your own reports."))
    return found


def _actor(desk: Desk, asked: Asked) -> Actor:
    return actor(desk, asked.incoming.visitor, _here(desk, asked))


def _open(desk: Desk, asked: Asked) -> None:
    found = _scoped(desk, asked)
    if found is not None:
        _show(desk, asked, "queue", everybody=True, **found.as_args())


def _find(desk: Desk, asked: Asked) -> None:
    found = _scoped(desk, asked)
    if found is not None:
        _show(desk, asked, "found", everybody=True, text=asked.words[:100], **found.as_args())


def _stats(desk: Desk, asked: Asked) -> None:
    found = _scoped(desk, asked)
    if found is not None:
        _show(desk, asked, "stats", everybody=True, **found.as_args())


def _incident(desk: Desk, asked: Asked) -> None:
    here = _here(desk, asked)
    if here is None and not asked.private:
        # A group that is bound to nothing is full of strangers.
        return
    if not asked.words:
        _say(desk, asked, N_("Write the number after the command: /i SD-2026-0042"))
        return
    incident = looking.by_name(desk, _actor(desk, asked), asked.words, here)
    chat_id = asked.incoming.chat_id
    seen = incident and looking.visible(desk, _actor(desk, asked), chat_id, here, incident)
    if incident is None or not seen:
        _say(desk, asked, N_("There is no incident {number} that you can see here."), number=asked.words[:40])
        return
    asker = asked.incoming.visitor.user_id if here is not None and here.role == "district" else None
    looking.open_sheet(desk, incident, chat_id, asked.incoming.thread_id, seen, asker)


def _my(desk: Desk, asked: Asked) -> None:
    if asked.incoming.visitor.hidden:
        _say(desk, asked, N_("You write in the group's name, so I cannot tell who you are."))
        return
    _show(desk, asked, "mine", user=asked.incoming.visitor.user_id)


def _shop(desk: Desk, asked: Asked) -> None:
    visitor = asked.incoming.visitor
    community = _community(desk, asked)
    if visitor.hidden or community is None:
        _say(desk, asked, N_("Please write it in your district's group, in your own name."))
        return
    shop = desk.session.get(Shop, (community.id, visitor.user_id))
    name, _, address = (piece.strip() for piece in APART.sub(",", asked.words).partition(","))
    if not name:
        if shop is None:
            _say(desk, asked, N_("Write your shop's name and address after the command: /shop Name, address"))
        else:
            _say(desk, asked, N_("Your shop: {name}, {address}"), name=shop.name, address=shop.address or "–")
        return
    shop = shop or Shop(community_id=community.ident, user_id=visitor.user_id, name=name)
    shop.name, shop.address = name[:60], address[:120]
    desk.session.add(shop)
    noted = {"name": shop.name, "address": shop.address}
    _say(desk, asked, N_("Noted: {name}, {address}. Your reports carry it from now on."), **noted)


def _community(desk: Desk, asked: Asked) -> Community | None:
    """The community of this group; in private, the one of the person's last report, or the only one there is."""
    here = _here(desk, asked)
    if here is not None:
        return desk.session.get(Community, here.community_id)
    if not asked.private:
        return None
    last = last_community_of(desk.session, asked.incoming.visitor.user_id)
    if last is not None:
        return desk.session.get(Community, last)
    known = [each for each in chats.communities(desk.session) if chats.districts_of(desk.session, each.ident)]
    return known[0] if len(known) == 1 else None


def _report(desk: Desk, asked: Asked) -> None:
    here = _here(desk, asked)
    if here is None or here.role != "district":
        _say(desk, asked, N_("Reports are made in a district's group."))
        return
    earlier = asked.earlier
    nothing = not asked.words and not asked.incoming.media
    if nothing and (earlier is None or not (earlier.media or earlier.text)):
        _say(desk, asked, N_("Reply to a photo with /report, or write what is broken: /report manhole cover cracked"))
        return
    spoken = replace(asked.incoming, text=asked.words)
    answered = post_of_message(desk.session, earlier.chat_id, earlier.message_id) if earlier is not None else None
    if answered is not None:
        # A reply to a line or card of the bot's: that incident is meant, not the bot's words.
        known = desk.session.get(Incident, answered.incident_id) if answered.incident_id else None
        if known is not None and known.number is not None:
            _already(desk, asked, here, known)
        return
    answers = earlier is not None and bool(earlier.media or earlier.text) and not asked.incoming.media
    source = earlier if answers else None
    incident, new = intake.report(desk, here, spoken, source, asked.words if source else "")
    if not new:
        _already(desk, asked, here, incident)


def _already(desk: Desk, asked: Asked, here: Binding, incident: Incident) -> None:
    status = status_name(desk.speech(here), incident.status)
    _say(desk, asked, N_("That is {number} already: {status}."), number=incident.number or "–", status=status)


def _bind(desk: Desk, asked: Asked) -> None:
    visitor = asked.incoming.visitor
    if not visitor.hidden and not may_bind(_actor(desk, asked)):
        _say(desk, asked, N_("Only the secretary or the operator can do this."))
        return
    # An anonymous administrator cannot be told from any other: whoever presses is asked, and presses tell.
    _show(desk, asked, "bind", everybody=True, asker=None if visitor.hidden else visitor.user_id)


def _language(desk: Desk, asked: Asked) -> None:
    wanted = asked.words.strip().lower()[:2]
    if wanted not in LANGUAGES:
        _say(desk, asked, N_("Write /language zh or /language en."))
        return
    here = _here(desk, asked)
    if asked.private:
        person = desk.session.get(Person, asked.incoming.visitor.user_id)
        if person is not None:
            person.language = wanted
            desk.session.add(person)
    elif here is not None and may_bind(_actor(desk, asked), here.community_id):
        here.language = wanted
        desk.session.add(here)
        bindings.show_menu(desk, here.chat_id)
    else:
        _say(desk, asked, N_("Only the secretary or the operator can do this."))
        return
    _say(desk, asked, N_("From now on in English."))


def _start(desk: Desk, asked: Asked) -> None:
    """By role, in private. In a group it comes with a deep link that says what the group is."""
    if not asked.private and asked.name == "start":
        if asked.words:
            _bind_by_link(desk, asked)
        return
    person = asked.incoming.visitor
    found = [["operator", ""]] if person.user_id in desk.ground.operators else []
    for key in chats.secretary_in(desk.session, person.user_id):
        found.append(["secretary", desk.session.get_one(Community, key).name])
    units = chats.all_units(desk.session)
    found += [["unit", unit.name] for unit in units if person.user_id in unit.members]
    _show(desk, asked, "start", roles=found, user=person.user_id)


def _bind_by_link(desk: Desk, asked: Asked) -> None:
    incoming = asked.incoming
    told = bindings.bind(
        desk,
        _actor(desk, asked),
        incoming.chat_id,
        incoming.thread_id,
        asked.title,
        asked.words,
        desk.speech(hint=incoming.visitor.language),
    )
    _say(desk, asked, "{told}", told=told.text)


COMMANDS: Mapping[str, Callable[[Desk, Asked], None]] = {
    "start": _start,
    "help": _start,
    "report": _report,
    "my": _my,
    "shop": _shop,
    "open": _open,
    "find": _find,
    "i": _incident,
    "stats": _stats,
    "bind": _bind,
    "language": _language,
}
