"""What a chat is to the alliance, and what happens when the bot comes, goes, or the chat changes its id."""

from typing import Any

from bot.domain.rights import Actor, may_bind
from bot.domain.words import N_
from bot.services.acting import Told
from bot.services.desk import Desk
from bot.services.effects import call_secretary
from bot.services.operators import tell_operators
from bot.services.posting import add_notice, post_up, tell_office
from bot.speech import Speech
from bot.views.presses import number
from storage import chats
from storage.incidents import open_in
from storage.posts import bump_post, find_post, retire, revive
from storage.tables import Binding, Community, District, Person, Unit


def bound_name(desk: Desk, binding: Binding | None) -> str:
    """`关帝庙商圈`, `水务公司`, `水洞埭社区`; empty when the chat is bound to nothing."""
    if binding is None:
        return ""
    if binding.district_id:
        return desk.session.get_one(District, binding.district_id).name
    if binding.unit_id:
        return desk.session.get_one(Unit, binding.unit_id).name
    return desk.session.get_one(Community, binding.community_id).name


def choices(desk: Desk, user_id: int | None) -> list[tuple[str, str]]:
    """(press choice, label) of everything a chat can become, for this person; for nobody in particular: all."""
    found = []
    own = None if user_id is None or user_id in desk.ground.operators else chats.secretary_in(desk.session, user_id)
    for community in chats.communities(desk.session):
        if own is not None and community.id not in own:
            continue
        found.append((f"o{community.id}", f"🏛 {community.name}"))
        found += [(f"d{each.id}", f"🏪 {each.name}") for each in chats.districts_of(desk.session, community.ident)]
        found += [(f"u{each.id}", f"🔧 {each.name}") for each in chats.units_of(desk.session, community.ident)]
    return found


def bind(
    desk: Desk, actor: Actor, chat_id: int, thread_id: int | None, title: str, choice: str, speech: Speech
) -> Told:
    """Make the chat the office (`o1`), district (`d2`) or unit (`u3`) that was chosen."""
    row = _chosen(desk, choice)
    if row is None:
        return Told(speech.tell("This button is out of date."), alert=True)
    community_id = row.ident if isinstance(row, Community) else row.community_id
    if not may_bind(actor, community_id):
        return Told(speech.tell("Only the secretary or the operator can do this."), alert=True)
    old = desk.session.get(Binding, chat_id)
    if old is not None and old.community_id != community_id and not may_bind(actor, old.community_id):
        return Told(speech.tell("This chat belongs to another community."), alert=True)
    set_binding(desk, chat_id, thread_id, title, row)
    return Told(speech.tell("This chat is {name} now.", name=row.name))


def set_binding(
    desk: Desk, chat_id: int, thread_id: int | None, title: str, row: "Community | District | Unit"
) -> None:
    """Bind, in place of whatever the chat was before; what waited for a unit's chat is sent there now."""
    session = desk.session
    binding = session.get(Binding, chat_id) or Binding(chat_id=chat_id, role="", community_id=0)
    before = (binding.role, binding.community_id, binding.unit_id)
    binding.thread_id, binding.lost_at = thread_id, None
    binding.title = title or binding.title
    binding.role = {Community: "office", District: "district", Unit: "unit"}[type(row)]
    binding.community_id = row.ident if isinstance(row, Community) else row.community_id
    binding.district_id = row.id if isinstance(row, District) else None
    binding.unit_id = row.id if isinstance(row, Unit) else None
    if isinstance(row, (Unit, Community)):
        # A unit and an office have one chat each: the newest binding wins.
        for other in chats.other_chats(session, binding.role, binding.community_id, binding.unit_id, chat_id):
            retire(session, other.chat_id, desk.now)
            session.delete(other)
    if before[0] and before != (binding.role, binding.community_id, binding.unit_id):
        retire(session, chat_id, desk.now)
    session.add(binding)
    session.flush()
    revive(session, chat_id, desk.now)
    show_menu(desk, chat_id)
    _renew_checklist(desk, chat_id)
    _show_again(desk, binding)


def show_menu(desk: Desk, chat_id: int) -> None:
    """Have Telegram offer the commands of the chat's role, in its language."""
    post = find_post(desk.session, f"chat:{chat_id}", chat_id, "menu")
    if post is None:
        add_notice(desk, chat_id, "menu", f"chat:{chat_id}")
    else:
        bump_post(desk.session, post, desk.now)


def show_menus(desk: Desk) -> None:
    """After the alliance file was applied: every chat offers its commands."""
    for each in chats.bindings(desk.session):
        show_menu(desk, each.chat_id)


def _renew_checklist(desk: Desk, chat_id: int) -> None:
    post = find_post(desk.session, f"chat:{chat_id}", chat_id, "checklist")
    if post is not None:
        bump_post(desk.session, post, desk.now)


def _show_again(desk: Desk, binding: Binding) -> None:
    """Open incidents whose cards had nowhere to go have a chat now."""
    if binding.role == "district":
        return
    for incident in open_in(desk.session, binding.community_id, binding.unit_id):
        if incident.need == "undelivered" and binding.role == "unit":
            call_secretary(incident, "")
        desk.session.add(incident)
        post_up(desk, incident)


def _chosen(desk: Desk, choice: str) -> Community | District | Unit | None:
    kind, key = choice[:1], number(choice[1:])
    if key is None:
        return None
    match kind:
        case "o":
            row: Community | District | Unit | None = desk.session.get(Community, key)
        case "d":
            row = desk.session.get(District, key)
        case "u":
            row = desk.session.get(Unit, key)
        case _:
            row = None
    return row if row is not None and row.active else None


def bot_came(desk: Desk, chat_id: int, title: str, admin: bool, reads_all: bool) -> None:
    """The bot is in a group (again), or its rights changed: one checklist, brought up to date."""
    binding = desk.session.get(Binding, chat_id)
    if binding is not None:
        binding.title = title or binding.title
        bot_is_back(desk, binding)
    show_checklist(desk, chat_id, admin, reads_all)


def bot_is_back(desk: Desk, binding: Binding) -> None:
    """The chat can be reached: what was refused there is tried again, what waited for it is shown."""
    binding.lost_at = None
    desk.session.add(binding)
    revive(desk.session, binding.chat_id, desk.now)
    _show_again(desk, binding)


def show_checklist(desk: Desk, chat_id: int, admin: bool, reads_all: bool) -> None:
    """One checklist a chat, brought up to date when the bot's rights change."""
    args: dict[str, Any] = {"admin": admin, "reads_all": reads_all}
    post = find_post(desk.session, f"chat:{chat_id}", chat_id, "checklist")
    if post is None:
        add_notice(desk, chat_id, "checklist", f"chat:{chat_id}", **args)
        return
    post.args = args
    bump_post(desk.session, post, desk.now)


def bot_went(desk: Desk, chat_id: int) -> None:
    """The bot was put out of a chat: the office hears it, once; nothing that waits there is lost."""
    binding = desk.session.get(Binding, chat_id)
    if binding is None or binding.lost_at is not None:
        return
    binding.lost_at = desk.now
    desk.session.add(binding)
    lost(desk, binding)


def lost(desk: Desk, binding: Binding) -> None:
    """Tell which chat can no longer be reached."""
    key = f"lost:{binding.chat_id}:{int(desk.now.timestamp())}"
    sentence = N_("The bot is no longer in {name}. What is meant for it waits; please add the bot again.")
    _complain(desk, binding, key, sentence)


def muted(desk: Desk, binding: Binding) -> None:
    """Tell, once a day, in which chat the bot may not write."""
    sentence = N_(
        "The bot may not write in {name}. What is meant for it waits; please let the bot write there, or make it an "
        "administrator."
    )
    _complain(desk, binding, f"muted:{binding.chat_id}:{desk.now:%Y%m%d}", sentence)


def no_photos(desk: Desk, binding: Binding) -> None:
    """Tell, once a day, in which chat the bot may send words alone."""
    sentence = N_(
        "The bot may not send photos in {name}. Its messages go there without them; please let the bot send photos, or "
        "make it an administrator."
    )
    _complain(desk, binding, f"photos:{binding.chat_id}:{desk.now:%Y%m%d}", sentence)


def topic_gone(desk: Desk, binding: Binding) -> None:
    """Tell that the topic a chat was bound in takes no messages any more."""
    sentence = N_(
        "The topic of {name} is closed or gone. The bot writes to the group itself now; /bind in another topic chooses "
        "that one."
    )
    _complain(desk, binding, f"topic:{binding.chat_id}:{binding.thread_id}", sentence)


def _complain(desk: Desk, binding: Binding, key: str, sentence: str) -> None:
    """To the secretaries; what is wrong with their own chat the operators hear."""
    name = bound_name(desk, binding)
    if binding.role == "office":
        tell_operators(desk, key, sentence, name=name)
    else:
        tell_office(desk, binding.community_id, "note", key, sentence=sentence, values={"name": name})


def moved(desk: Desk, old: int, new: int) -> None:
    """The group is a supergroup now, with another id; both ends of the move say so, in any order."""
    if chats.rebind(desk.session, old, new, desk.now):
        show_menu(desk, new)


def said_goodbye(desk: Desk, user_id: int, gone: bool) -> None:
    """Somebody blocked the bot in private, or let it in again."""
    person = desk.session.get(Person, user_id)
    if person is not None:
        person.started = not gone
        desk.session.add(person)
    if not gone:
        revive(desk.session, user_id, desk.now)
