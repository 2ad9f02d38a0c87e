"""The last words of each author, for as long as they may still belong to a picture: in memory only, never stored."""

from collections import OrderedDict

from bot.services.incoming import Incoming

MOST = 2000
"""Authors remembered; the community's `gather` decides whether their words still belong."""


class Recent:
    def __init__(self) -> None:
        self._said: OrderedDict[tuple[int, int], Incoming] = OrderedDict()

    def heard(self, said: Incoming) -> None:
        key = (said.chat_id, said.visitor.user_id)
        self._said[key] = said
        self._said.move_to_end(key)
        while len(self._said) > MOST:
            self._said.popitem(last=False)

    def last(self, chat_id: int, user_id: int) -> Incoming | None:
        """What the author said last, until it is forgotten."""
        return self._said.get((chat_id, user_id))

    def forget(self, chat_id: int, user_id: int) -> None:
        """The words belong to a picture now, and that is kept."""
        self._said.pop((chat_id, user_id), None)
