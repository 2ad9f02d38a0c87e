"""Lets go what waits beyond a person's quota, or dismisses it: all of one list, by one press of the secretary.

The press sets a timer for each of them; the clock's door does the work in portions, so that nobody else waits for it.
"""

from bot.domain.acts import REASONS, Act, Role
from bot.domain.rights import Actor, may
from bot.services import quota
from bot.services.acting import Told
from bot.services.desk import Desk
from bot.services.effects import Step
from bot.services.filing import send_on
from bot.services.lifecycle import carry_out, settle
from bot.services.people import Visitor, actor
from bot.services.posting import waits
from bot.services.quota import Flood
from bot.speech import Speech
from storage.backlog import OFTEN
from storage.posts import bump_post, latest_posts, refresh_post
from storage.quotas import let_all_go, newest_waiting, waiting_page
from storage.tables import Incident, Post

ALL = (Act.DISPATCH, Act.DISMISS)
"""What can be done to a whole list."""


def order(desk: Desk, person: Actor, post: Post, act: Act | None, reason: str, speech: Speech) -> Told:
    """Do `act` to every incident of the list that `post` shows, if `person` may; None folds its menu up again."""
    flood = Flood.of(post)
    found, total = waiting_page(desk.session, flood.community_id, flood.author_id, flood.upto, 0, 1)
    if not found:
        bump_post(desk.session, post, desk.now)
        return Told(speech.tell("Nothing waits here any more."))
    if may(person, act or Act.DISMISS, found[0].matter, desk.now) is not None:
        return Told(speech.tell("This is not yours to do."), alert=True, menu=str(post.args.get("menu", "")))
    if act is None:
        return Told()
    if act in REASONS and reason not in REASONS[act]:
        return Told(menu=str(act))
    upto = newest_waiting(desk.session, flood.community_id, flood.author_id)
    let_all_go(desk.session, flood.community_id, flood.author_id, desk.now)
    wish = {"act": str(act), "reason": reason, "by": person.user_id, "name": person.name}
    post.args = {**post.args, "menu": "", "page": 0, "upto": upto, "order": wish}
    bump_post(desk.session, post, desk.now)
    if act is Act.DISPATCH:
        return Told(speech.tell("{count} go on their way.", count=total))
    return Told(speech.tell("{count} are dismissed.", count=total))


def go(desk: Desk, incident: Incident) -> None:
    """One of those that were ordered on their way. Whether the secretary may is asked again: it may be hours later."""
    if not waits(incident):
        return
    posts = latest_posts(desk.session, quota.subject(incident.community_id, incident.author_id), "quota", 5)
    ordered = next(
        (post for post in posts if post.args.get("order") and post.args.get("upto", 0) >= incident.ident), None
    )
    if ordered is None:
        return
    wish = ordered.args["order"]
    act, person = Act(wish["act"]), actor(desk, Visitor(int(wish["by"]), str(wish["name"])), None)
    if may(person, act, incident.matter, desk.now) is not None:
        # No longer theirs to order: the list is there again, for somebody who may.
        ordered.args = {**ordered.args, "upto": 0, "order": None}
        bump_post(desk.session, ordered, desk.now)
        return
    if act is Act.DISPATCH:
        send_on(desk, incident, person, Role.SECRETARY)
        settle(desk, incident)
    else:
        carry_out(desk, incident, Step(act, person, Role.SECRETARY, reason=str(wish["reason"])))
    refresh_post(desk.session, ordered.ident, desk.now + OFTEN)
