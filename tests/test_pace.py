"""Telegram's limits, to the letter."""

from itertools import pairwise

from bot.domain.pace import Paces


def _drive(chats: list[int], calls: int) -> list[tuple[float, int]]:
    """Send as early as allowed, round robin; returns (moment, chat) of each call."""
    paces, now, sent = Paces(), 0.0, []
    while len(sent) < calls:
        waits = {chat: paces.wait(chat, now) for chat in chats}
        ready = [chat for chat in chats if waits[chat] == 0]
        if ready:
            chat = min(ready, key=lambda chat: sum(1 for _, each in sent if each == chat))
            paces.spend(chat, now)
            sent.append((now, chat))
        else:
            now += min(waits.values())
    return sent


def _most_within(moments: list[float], seconds: float) -> int:
    return max(sum(1 for other in moments if start <= other < start + seconds) for start in moments)


def test_a_group_gets_at_most_one_a_second_and_twenty_a_minute() -> None:
    moments = [at for at, _ in _drive([-1], 65)]
    assert min(after - before for before, after in pairwise(moments)) >= 1.0
    assert _most_within(moments, 60.0) == 20


def test_all_chats_together_get_at_most_thirty_a_second() -> None:
    moments = [at for at, _ in _drive(list(range(1, 101)), 300)]
    assert _most_within(moments, 1.0) == 30


def test_a_private_chat_has_no_limit_a_minute() -> None:
    moments = [at for at, _ in _drive([5], 65)]
    assert moments[-1] < 70


def test_patience_asked_for_in_one_chat_holds_up_no_other() -> None:
    paces = Paces()
    paces.chat(-1).block(100.0)
    assert paces.wait(-1, 0.0) == 100.0
    assert paces.wait(-2, 0.0) == 0.0


def test_a_reaction_counts_among_all_but_not_against_the_chat() -> None:
    paces = Paces()
    paces.spend(None, 0.0)
    assert paces.wait(-1, 0.0) == 0.0
    for _ in range(29):
        paces.spend(None, 0.0)
    assert paces.wait(-1, 0.0) > 0.9
