"""Files an incident under its category and sends it on its way: by route, to the fallback unit, or to the secretary."""

from bot.domain.acts import Act, Role
from bot.domain.rights import BOT, Actor
from bot.domain.routing import Route, route
from bot.services import quota
from bot.services.desk import Desk
from bot.services.effects import Step, call_secretary
from bot.services.lifecycle import decide, settle
from storage import chats
from storage.tables import Community, District, Incident, Unit
from storage.timers import clear_timers


def file(
    desk: Desk, incident: Incident, category: str, actor: Actor = BOT, role: Role = Role.BOT, fresh: bool = False
) -> None:
    """Give it its number and category, then dispatch it as the community has set. `fresh`: it is new in this job."""
    decide(desk, incident, Step(Act.FILE, actor, role, what=category))
    if incident.id is not None and not fresh:
        clear_timers(desk.session, incident.id, ("gather", "answer"))
    community = desk.session.get_one(Community, incident.community_id)
    # What the secretary has looked at herself waits for nobody.
    if role is not Role.SECRETARY and quota.must_wait(desk, incident, community):
        quota.hold(desk, incident)
    else:
        send_on(desk, incident)
    settle(desk, incident, fresh)


def send_on(desk: Desk, incident: Incident, actor: Actor = BOT, role: Role = Role.BOT) -> None:
    """Dispatch a filed incident where its route leads; the caller settles. `actor`: whoever has ordered it."""
    community = desk.session.get_one(Community, incident.community_id)
    unit = suggested(desk, incident, community)
    incident.suggested_id = unit.id if unit else None
    if community.dispatch == "approve" and role is Role.BOT:
        call_secretary(incident, "approve")
        return
    if unit is None:
        call_secretary(incident, "unrouted")
        return
    decide(desk, incident, Step(Act.DISPATCH, actor, role, what=unit.name, unit=unit))
    if chats.chat_of_unit(desk.session, unit.ident) is None:
        call_secretary(incident, "undelivered")


def suggested(desk: Desk, incident: Incident, community: Community) -> Unit | None:
    """The unit its category and district lead to, else the community's fallback; never one that refused it."""
    district = desk.session.get(District, incident.district_id) if incident.district_id else None
    units = chats.units_of(desk.session, community.ident)
    willing = {unit.id: unit for unit in units if unit.id not in incident.refused_by and unit.id is not None}
    routes = [Route(key, tuple(unit.categories), tuple(unit.districts)) for key, unit in willing.items()]
    chosen = route(incident.category, district.key if district else None, routes)
    if chosen is not None:
        return willing[chosen]
    return next((unit for unit in willing.values() if unit.key == community.fallback_unit), None)
