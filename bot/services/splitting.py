"""Takes apart what was gathered wrongly: the last picture becomes a matter of its own."""

from collections.abc import Iterable

from bot.domain.acts import Status
from bot.services.desk import Desk
from bot.services.drafting import ask_author, consider
from storage.incidents import reports_of
from storage.posts import forget_reactions
from storage.tables import Community, Incident, Part


def split(desk: Desk, incident: Incident) -> Incident | None:
    """Take the last picture (or album) that was gathered into the incident out again, as a matter of its own.

    None when there is nothing to take apart.
    """
    groups = picture_groups(reports_of(desk.session, incident.ident))
    if len(groups) < 2:
        return None
    first = groups[-1][0]
    fresh = Incident(
        community_id=incident.community_id,
        district_id=incident.district_id,
        chat_id=incident.chat_id,
        thread_id=incident.thread_id,
        message_id=first.message_id,
        author_id=incident.author_id,
        reporter_id=incident.reporter_id,
        shop=incident.shop,
        address=incident.address,
        created_at=desk.now,
        gather_until=desk.now,
        reminded_at=desk.now,
        explicit=True,
        split_from=incident.id,
    )
    desk.session.add(fresh)
    desk.session.flush()
    moved = [part for part in reports_of(desk.session, incident.ident) if part.message_id >= first.message_id]
    for part in moved:
        part.incident_id = fresh.ident
        desk.session.add(part)
    # The reaction on a picture is its own incident's from now on.
    forget_reactions(desk.session, incident.ident, [part.message_id for part in moved])
    incident.gather_until = desk.now
    desk.session.add(incident)
    desk.session.flush()
    consider(desk, fresh, desk.session.get_one(Community, incident.community_id))
    if fresh.status == Status.DRAFT:
        # Nothing more will gather: what it is can be asked at once.
        ask_author(desk, fresh)
    return fresh


def picture_groups(parts: Iterable[Part]) -> list[list[Part]]:
    """The pictures as they were posted: an album is one group, a single picture another."""
    groups: dict[str, list[Part]] = {}
    for part in parts:
        if part.media:
            groups.setdefault(part.media_group_id or f"single:{part.message_id}", []).append(part)
    return list(groups.values())
