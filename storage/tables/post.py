"""What is shown, where, and how far it is up to date; and the moments at which an incident is looked at again."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from storage.tables.columns import Numbered, at_column, big_column, json_column

_STRANDED = text("due_at IS NULL AND shown < wanted")
_LEASED = text("lease IS NOT NULL")
_BROKEN = text("state = 'broken'")


class Post(Numbered, table=True):
    """One message about one subject in one place, brought up to date while `shown < wanted`."""

    __table_args__ = (
        UniqueConstraint("subject", "channel", "chat_id", "kind", "seq"),
        Index("post_due", "due_at"),
        Index("post_chat", "chat_id", "state"),
        Index("post_next", "chat_id", "due_at"),
        # What nothing would look at, and what is held by a lease: a handful at most, for the auditor.
        Index("post_stranded", "id", sqlite_where=_STRANDED, postgresql_where=_STRANDED),
        Index("post_leased", "lease", sqlite_where=_LEASED, postgresql_where=_LEASED),
        # For those who watch: what was refused for good.
        Index("post_broken", "state", sqlite_where=_BROKEN, postgresql_where=_BROKEN),
    )

    id: int | None = Field(default=None, primary_key=True)
    subject: str
    """`incident:7`, or what a command asked for: `update:1234`."""
    incident_id: int | None = Field(default=None, foreign_key="incident.id", index=True)
    channel: str = "telegram"
    chat_id: int = big_column()
    thread_id: int | None = None
    kind: str
    seq: int = 0
    user_id: int | None = big_column(nullable=True)
    """For whom alone it is meant (ephemeral); None: everybody in the chat."""
    reply_to: int | None = None
    args: dict[str, Any] = json_column(dict)
    """What the view needs beside the incident: a page, a query, an open menu."""
    urgent: bool = False
    wanted: int = 1
    shown: int = 0
    state: str = "due"
    """due, sending (an outcome is awaited), unknown (it may have arrived), shown, broken (refused for good), held
    (behind a backlog list, or by a restore), gone."""
    due_at: datetime | None = at_column()
    """When to look at it next; None: nothing to do."""
    lease: datetime | None = at_column()
    """Which attempt it was that is under way, or that a killed process left unknown."""
    message_ids: list[int] = json_column(list)
    ephemeral: bool = False
    form: str = ""
    """text, photo or reaction: how the message was sent decides how it is edited."""
    picture: str = ""
    """Key of the picture it shows."""
    digest: str = ""
    """What was shown last, to spare an edit that changes nothing."""
    attempts: int = 0
    doubled: int = 0
    """Attempts of which nobody knows whether they arrived: so many messages may stand there beside the one known."""
    error: str = ""
    sent_at: datetime | None = at_column()
    remove_at: datetime | None = at_column()


class Shown(SQLModel, table=True):
    """Which post a message in a chat belongs to, so that a reply to it finds its incident."""

    chat_id: int = big_column(primary_key=True)
    message_id: int = Field(primary_key=True)
    post_id: int = Field(foreign_key="post.id", index=True)


class Picture(SQLModel, table=True):
    """A picture the relay made (a cleaned file, a before/after pair) as Telegram keeps it once it was sent."""

    key: str = Field(primary_key=True)
    """`clean:12` for part 12, `pair:12:15` for a pair."""
    file_id: str


class Timer(SQLModel, table=True):
    """A moment at which an incident is looked at again; one of each kind an incident, so none can storm."""

    incident_id: int = Field(foreign_key="incident.id", primary_key=True)
    kind: str = Field(primary_key=True)
    """gather, answer (an unanswered prompt), refresh (undo ends), remind."""
    next_at: datetime = at_column(index=True, nullable=False)
    pace: int = 0
    """Failures in a row; a failing timer waits longer and stops nobody else."""
