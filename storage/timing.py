"""How long the database takes: spans in buckets, cheap enough to measure every job of a relay that runs for years."""

import time
from bisect import bisect_left
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

LIMITS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, float("inf"))
"""Upper ends of the buckets, in seconds."""


class Spans:
    """How many spans were how long."""

    def __init__(self) -> None:
        self.counts = [0] * len(LIMITS)
        self.seconds = 0.0
        """All of them together."""

    @contextmanager
    def measured(self) -> Iterator[None]:
        """What happens inside is one span, whether it succeeds or not."""
        began = time.monotonic()
        try:
            yield
        finally:
            span = time.monotonic() - began
            self.counts[bisect_left(LIMITS, span)] += 1
            self.seconds += span
