"""The one place that asks what time it is. The sandbox can wind it forward; nothing ever winds it back."""

from datetime import UTC, datetime, timedelta


class Clock:
    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def now(self) -> datetime:
        """The aware moment, in UTC."""
        return datetime.now(UTC) + self.ahead
