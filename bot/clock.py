"""The one place that asks what time it is. The sandbox can wind it forward; nothing ever winds it back."""

from datetime import UTC, datetime, timedelta


class Clock:
    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def now(self) -> datetime:
        """The aware moment, in UTC."""
        return self.wall() + self.ahead

    def wall(self) -> datetime:
        """What the machine's clock shows, not wound: somebody may set it, ahead or back."""
        return datetime.now(UTC)
