"""What one person reports beyond the quota waits for the secretary, in one list, and is lost to nobody."""

from datetime import timedelta

import pytest
from sqlmodel import col, select

from bot.channels.outcome import Shown
from bot.domain.acts import Act, Role, Status
from bot.services import notices, quota, releasing
from bot.services.filing import file
from bot.services.incoming import Incoming
from bot.services.intake import take_picture
from bot.services.pressing import Pressed, press
from bot.services.reminding import fire
from bot.services.showing import note, prepare, set_out
from bot.views.content import Content, Gone, Screen
from bot.views.presses import Press, pack
from storage.quotas import GO
from storage.tables import Binding, Incident, Post, Shop
from storage.timers import due_timers
from tests.rules.bench import (
    GROUND,
    GUANDI_CHAT,
    LI,
    LIN,
    NANSHI_CHAT,
    NOW,
    OFFICE,
    OWN,
    PASSER,
    PROPERTY_CHAT,
    SECRETARY,
    SPEECH,
    WATER_CHAT,
    ZHANG,
    Bench,
    visitor,
)

QUOTA = 3
RUBBISH, COVER = "rubbish", "cover.water"


@pytest.fixture
def few(bench: Bench) -> Bench:
    """A community in which three reports of one person an hour go their way."""
    bench.community(quota=QUOTA)
    return bench


def report(bench: Bench, kind: str = RUBBISH, author: int = ZHANG, chat: int = GUANDI_CHAT) -> Incident:
    """Somebody reports a matter whose kind is known at once."""
    found = bench.incident(Status.DRAFT, author_id=author, reporter_id=author if author > 0 else None, chat_id=chat)
    file(bench.desk, found, kind)
    bench.session.flush()
    return found


def waiting(bench: Bench) -> list[int]:
    query = select(Incident.id).where(Incident.status == "filed", Incident.need == "quota").order_by(col(Incident.id))
    bench.session.flush()
    return [each for each in bench.session.exec(query).all() if each is not None]


def listed(bench: Bench) -> list[Post]:
    return [post for post in bench.posts(kind="quota") if post.state != "gone"]


def shown(bench: Bench, post: Post) -> Content | Gone:
    made = notices.NOTICES["quota"](bench.desk, Screen(SPEECH, bench.now, GROUND.zone), post)
    assert isinstance(made, Content | Gone)
    return made


def buttons(content: Content) -> dict[str, str]:
    return {button.text: button.data for row in content.rows for button in row}


def deliver(bench: Bench, post: Post, message_id: int = 4711) -> None:
    """The post stands in its chat now."""
    from storage.posts import remember_messages

    post.state, post.message_ids, post.form, post.due_at, post.shown = "shown", [message_id], "text", None, post.wanted
    bench.session.add(post)
    remember_messages(bench.session, post.ident, post.chat_id, [message_id])
    bench.session.flush()


def tap(bench: Bench, data: str, person: int = LIN, message_id: int = 4711) -> str:
    return press(bench.desk, Pressed(OFFICE, message_id, None, visitor(person), data)).text


def tick(bench: Bench) -> int:
    """All that is due is done; returns how much it was."""
    bench.session.flush()
    due = due_timers(bench.session, bench.now, 1000)
    return sum(fire(bench.desk, incident_id, kind) for incident_id, kind in due)


def test_what_is_beyond_the_quota_waits_without_card_line_or_clock(few: Bench) -> None:
    went = [report(few) for _ in range(QUOTA)]
    kept = [report(few) for _ in range(2)]
    assert [each.status for each in went] == [Status.DISPATCHED] * QUOTA
    for each in kept:
        assert (each.status, each.need, each.unit_id, each.number is not None) == (Status.FILED, "quota", None, True)
        assert {post.kind for post in few.posts(each)} == {"reaction"}
        assert each.accept_due is each.repair_due is None
    assert waiting(few) == [each.ident for each in kept]


def test_the_secretary_is_told_once_and_the_list_keeps_up(few: Bench) -> None:
    few.session.add(Shop(community_id=OWN, user_id=ZHANG, name="Noodles"))
    for _ in range(QUOTA + 1):
        report(few)
    [post] = listed(few)
    assert (post.chat_id, post.thread_id) == (OFFICE, 7)
    deliver(few, post)
    for _ in range(30):
        few.later(seconds=1)
        report(few)
    assert [each.ident for each in listed(few)] == [post.ident]
    assert few.posts(kind="office") == []
    # Not an edit for each of them: at most one in twenty seconds.
    few.session.refresh(post)
    assert post.due_at == NOW + timedelta(seconds=21)
    text = shown(few, post)
    assert isinstance(text, Content)
    assert "Noodles</b> has reported 34 matters within an hour. Those past 3 wait for you: 31." in text.text


def test_a_report_that_comes_while_the_list_is_on_its_way_is_in_the_next_one(few: Bench) -> None:
    for _ in range(QUOTA + 1):
        report(few)
    [post] = listed(few)
    on_its_way = prepare(few.desk, post.ident)
    assert on_its_way is not None
    set_out(few.desk, post.ident)
    few.session.flush()
    report(few)
    # Each is a job of its own, with a session of its own.
    few.session.flush()
    few.session.expire_all()
    note(few.desk, on_its_way, Shown((4711,), "text"))
    few.session.flush()
    few.session.refresh(post)
    assert post.shown < post.wanted and post.due_at is not None


def test_another_person_another_community_and_another_hour_have_quotas_of_their_own(few: Bench) -> None:
    for _ in range(QUOTA):
        report(few)
    assert report(few, author=LI).status == Status.DISPATCHED
    assert report(few).need == "quota"
    few.later(minutes=59)
    assert report(few).need == "quota"
    few.later(minutes=2)
    assert report(few).status == Status.DISPATCHED


def test_several_groups_are_one_community_and_a_group_without_a_face_is_one_person(few: Bench) -> None:
    for _ in range(QUOTA):
        report(few)
    assert report(few, chat=NANSHI_CHAT).need == "quota"
    for _ in range(QUOTA):
        assert report(few, author=GUANDI_CHAT).status == Status.DISPATCHED
    assert report(few, author=GUANDI_CHAT).need == "quota"
    few.binding(GUANDI_CHAT, title="Guandi shops")
    texts = [shown(few, post) for post in listed(few)]
    assert len(texts) == 2 and any("Guandi shops" in each.text for each in texts)


def test_what_is_dangerous_goes_all_the_same_and_ahead_until_it_is_too_many_itself(few: Bench) -> None:
    for _ in range(QUOTA + 1):
        report(few)
    covers = [report(few, COVER) for _ in range(QUOTA + 2)]
    assert [each.status for each in covers] == [Status.DISPATCHED] * len(covers)
    cards = [post for each in covers for post in few.posts(each, "card")]
    # Twenty rubbish heaps take nothing from a broken cover; only very many covers of one person stand behind others'.
    assert [post.urgent for post in cards] == [True] * QUOTA + [False] * 2


def test_no_quota_and_the_secretarys_own_patrol_wait_for_nobody(few: Bench) -> None:
    for _ in range(QUOTA * 2):
        assert report(few, author=LIN).status == Status.DISPATCHED
    few.community(quota=0)
    for _ in range(QUOTA * 2):
        assert report(few).status == Status.DISPATCHED


def test_what_the_secretary_files_herself_goes_its_way(few: Bench) -> None:
    for _ in range(QUOTA):
        report(few)
    draft = few.incident(Status.DRAFT, need="unknown", needs=1)
    file(few.desk, draft, RUBBISH, SECRETARY, Role.SECRETARY)
    assert draft.status == Status.DISPATCHED


def test_the_one_who_posts_sees_the_usual_reaction_and_nothing_else(few: Bench) -> None:
    here = few.session.get_one(Binding, GUANDI_CHAT)
    words = ("rubbish heap", "street light is out", "bikes blocking", "tree branch down", "illegal building")
    for n, said in enumerate(words):
        take_picture(few.desk, here, Incoming(GUANDI_CHAT, 900 + n, visitor(ZHANG), few.now, text=said, media="photo"))
    assert len(waiting(few)) == 2
    in_the_group = [post.kind for post in few.posts(chat_id=GUANDI_CHAT)]
    assert sorted(in_the_group) == ["line"] * QUOTA + ["reaction"] * len(words)


def test_dispatch_all_sends_each_one_on_and_says_who_did(few: Bench) -> None:
    for _ in range(QUOTA):
        report(few)
    kept = [report(few) for _ in range(4)]
    [post] = listed(few)
    deliver(few, post)
    content = shown(few, post)
    assert isinstance(content, Content)
    assert tap(few, buttons(content)["Dispatch all"]) == "4 go on their way."
    # Done by the clock in portions, not inside the press.
    assert {each.status for each in kept} == {Status.FILED}
    assert isinstance(shown(few, post), Gone)
    assert {kind for each in kept for kind in few.timers(each) if kind == GO} == {GO}
    tick(few)
    for each in kept:
        assert (each.status, each.need) == (Status.DISPATCHED, "")
        assert [(e.act, e.actor_id, e.role) for e in few.events(each)][-1] == ("dispatch", LIN, "secretary")
        # The unit has its card; the group is spared a line for each of a flood, until there is something to see.
        kinds = [post.kind for post in few.posts(each)]
        assert "card" in kinds and "line" not in kinds
        assert each.repair_due is not None
    assert tap(few, pack(Press("all", 0, "dispatch"))) == "Nothing waits here any more."


def test_dismiss_all_asks_why_first(few: Bench) -> None:
    kept = [report(few) for _ in range(QUOTA + 3)][QUOTA:]
    [post] = listed(few)
    deliver(few, post)
    content = shown(few, post)
    assert isinstance(content, Content)
    assert tap(few, buttons(content)["Dismiss all"]) == ""
    few.session.refresh(post)
    reasons = shown(few, post)
    assert isinstance(reasons, Content)
    assert tap(few, buttons(reasons)["Advertising or chat"]) == "3 are dismissed."
    tick(few)
    assert {each.status for each in kept} == {Status.DISMISSED}
    assert {few.last(each).reason for each in kept} == {"advert"}


def test_only_the_secretary_may(few: Bench) -> None:
    kept = [report(few) for _ in range(QUOTA + 1)][-1]
    [post] = listed(few)
    deliver(few, post)
    for act in ("dispatch", "dismiss"):
        assert tap(few, pack(Press("all", 0, act, "advert")), person=PASSER) == "This is not yours to do."
    tick(few)
    assert kept.need == "quota" and "order" not in post.args
    # Nor does anybody else fold up what the secretary has unfolded.
    assert tap(few, pack(Press("all", 0, "dismiss"))) == ""
    for act in ("back", "dispatch"):
        tap(few, pack(Press("all", 0, act)), person=PASSER)
        few.session.refresh(post)
        assert post.args["menu"] == "dismiss"
    tap(few, pack(Press("all", 0, "back")))
    few.session.refresh(post)
    assert post.args["menu"] == ""


def test_who_is_no_longer_secretary_when_the_clock_comes_round_orders_nothing(few: Bench) -> None:
    from storage.tables import Secretary

    kept = [report(few) for _ in range(QUOTA + 2)][QUOTA:]
    [post] = listed(few)
    deliver(few, post)
    tap(few, pack(Press("all", 0, "dispatch")))
    few.session.delete(few.session.get_one(Secretary, (OWN, LIN)))
    tick(few)
    assert {each.need for each in kept} == {"quota"}
    few.session.refresh(post)
    # The list is there again, for whoever may.
    assert isinstance(shown(few, post), Content)


def test_what_comes_after_the_order_waits_for_the_next(few: Bench) -> None:
    for _ in range(QUOTA + 2):
        report(few)
    [post] = listed(few)
    deliver(few, post)
    tap(few, pack(Press("all", 0, "dispatch")))
    late = report(few)
    tick(few)
    assert waiting(few) == [late.ident]
    few.session.refresh(post)
    content = shown(few, post)
    assert isinstance(content, Content) and "wait for you: 1." in content.text


def test_one_of_them_can_be_opened_and_sent_by_itself(few: Bench) -> None:
    kept = [report(few) for _ in range(QUOTA + 2)][QUOTA:]
    [post] = listed(few)
    deliver(few, post)
    content = shown(few, post)
    assert isinstance(content, Content)
    tap(few, buttons(content)["1"])
    [sheet] = few.posts(kept[0], "sheet")
    assert (sheet.chat_id, sheet.args["role"]) == (OFFICE, "office")
    deliver(few, sheet, 4712)
    assert (
        tap(few, pack(Press("act", kept[0].ident, str(Act.DISPATCH), "203")), message_id=4712) == "Sent to Property Co."
    )
    assert kept[0].status == Status.DISPATCHED and len(few.posts(kept[0], "card", PROPERTY_CHAT)) == 1
    assert waiting(few) == [kept[1].ident]


def test_a_step_taken_back_waits_in_the_list_again(few: Bench) -> None:
    kept = [report(few) for _ in range(QUOTA + 1)][-1]
    tap(few, pack(Press("act", kept.ident, str(Act.DISPATCH), "203")))
    tap(few, pack(Press("act", kept.ident, str(Act.UNDO))))
    assert waiting(few) == [kept.ident]


def test_what_still_waits_next_morning_rings_once_for_all_of_it(few: Bench) -> None:
    for _ in range(QUOTA + 5):
        report(few)
    [post] = listed(few)
    deliver(few, post)
    assert tick(few) == 0
    few.now = NOW + timedelta(days=1)
    assert tick(few) >= 5
    standing = [each for each in listed(few) if each.args.get("newest", True)]
    assert [each.ident != post.ident for each in standing] == [True]
    assert few.posts(kind="reminder", chat_id=OFFICE) == []
    few.session.refresh(post)
    assert isinstance(shown(few, post), Gone)
    assert isinstance(shown(few, standing[0]), Content)


def test_a_thousand_of_them_are_counted_by_the_index(few: Bench) -> None:
    plan = few.session.connection().exec_driver_sql(
        "explain query plan select id from incident"
        " where community_id = 2 and author_id = 501 and filed_at >= 1 and id != 5 limit 20"
    )
    assert "incident_filer" in str(plan.fetchall())


def test_the_dangerous_flood_of_one_person_holds_up_no_other_cover(few: Bench) -> None:
    from storage.posts import first_due

    for _ in range(QUOTA + 4):
        report(few, COVER)
    others = report(few, COVER, author=LI)
    cards = [post for post in few.posts(kind="card", chat_id=WATER_CHAT) if post.urgent]
    for post in cards:
        if post.incident_id != others.ident:
            deliver(few, post, 5000 + post.ident)
    found = first_due(few.session, WATER_CHAT, few.now)
    assert found is not None and found.incident_id == others.ident


def test_releasing_knows_only_its_two_acts() -> None:
    assert releasing.ALL == (Act.DISPATCH, Act.DISMISS) and "rubbish" not in quota.DANGEROUS
