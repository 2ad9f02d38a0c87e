"""What a test turns on and off or winds: the clock, ordered failures, limits, ephemeral messages."""

from __future__ import annotations

from bot.sandbox import wishes
from bot.sandbox.platform import Platform
from bot.sandbox.refusals import Mistake
from bot.sandbox.wishes import Wish


def wind(platform: Platform, wish: Wish) -> Wish:
    """Wind the clock: ``{"advance": seconds}``; raises Mistake."""
    if "advance" not in wish:
        raise Mistake('"advance" is missing: the seconds to wind forward')
    platform.clock.advance(wishes.number(wish["advance"], "advance"))
    platform.tell_clock()
    return {"offset": platform.clock.offset, "now": platform.clock.now()}


def order_fault(platform: Platform, wish: Wish) -> Wish:
    """Order a failure; raises Mistake."""
    platform.faults.order(wish)
    return {"ordered": len(platform.faults.ordered)}


def see_faults(platform: Platform, wish: Wish) -> Wish:
    """The failures still to come: ``{"faults": [{"kind", "method", "chat", "times"}]}``."""
    names = ("kind", "method", "chat", "times")
    return {"faults": [{name: getattr(fault, name) for name in names} for fault in platform.faults.ordered]}


def clear_faults(platform: Platform, wish: Wish) -> Wish:
    """Take back ordered failures: all, or those of the ``chat`` or ``method`` that is named."""
    platform.faults.take_back(wish)
    return {"ordered": len(platform.faults.ordered)}


def push_update(platform: Platform, wish: Wish) -> Wish:
    """Queue a made-up update as it is: ``{"update_id"}``; raises Mistake."""
    body = wish.get("update")
    if not isinstance(body, dict):
        raise Mistake('"update" is an object')
    return {"update_id": platform.updates.push_raw(body)}


def enforce(platform: Platform, wish: Wish) -> Wish:
    """Flood limits on or off."""
    platform.limits.enforced = wishes.flag(wish.get("enforce", True))
    return {"enforce": platform.limits.enforced}


def allow_ephemeral(platform: Platform, wish: Wish) -> Wish:
    """Ephemeral messages on or off."""
    platform.ephemeral_allowed = wishes.flag(wish.get("allowed", True))
    return {"allowed": platform.ephemeral_allowed}
