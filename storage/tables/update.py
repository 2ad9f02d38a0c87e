"""What came in and was handled, or was set aside; and what the program keeps about itself."""

from datetime import datetime

from sqlmodel import Field, SQLModel

from storage.tables.columns import at_column, big_column


class Handled(SQLModel, table=True):
    """Updates whose effects are committed; a redelivered one finds its row and does nothing."""

    update_id: int = big_column(primary_key=True)
    at: datetime = at_column(index=True, nullable=False)


class FailedUpdate(SQLModel, table=True):
    """A poison update, whole, set aside so that it holds up nobody; `bot retry` replays it."""

    __tablename__ = "failed_update"

    update_id: int = big_column(primary_key=True)
    raw: str
    error: str
    at: datetime = at_column(nullable=False)


class Note(SQLModel, table=True):
    """Small things the program keeps about itself: the digest of the alliance file, ephemeral support."""

    key: str = Field(primary_key=True)
    value: str
