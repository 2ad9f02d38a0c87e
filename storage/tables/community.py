"""Who works together: communities, their districts, partner units and chats, and the limits they have set."""

from datetime import datetime

from sqlalchemy import UniqueConstraint
from sqlmodel import Field, SQLModel

from storage.tables.columns import Numbered, at_column, big_column, json_column


class Community(Numbered, table=True):
    """A community (社区), or a street (街道) that others name as their parent."""

    id: int | None = Field(default=None, primary_key=True)
    key: str = Field(unique=True)
    name: str
    prefix: str
    parent: str = ""
    dispatch: str = "auto"
    intake: str = "ask"
    gather: int = 15
    """Seconds."""
    proof: str = "required"
    quiet_hours: str = ""
    working_hours: str = ""
    fallback_unit: str = ""
    quota: int = 20
    """Reports of one person within an hour that go their way by themselves; 0: all of them."""
    language: str = ""
    active: bool = True


class Secretary(SQLModel, table=True):
    community_id: int = Field(foreign_key="community.id", primary_key=True)
    user_id: int = big_column(primary_key=True)


class District(Numbered, table=True):
    """A commercial district (商圈)."""

    __table_args__ = (UniqueConstraint("community_id", "key"),)

    id: int | None = Field(default=None, primary_key=True)
    community_id: int = Field(foreign_key="community.id", index=True)
    key: str
    name: str
    active: bool = True


class Unit(Numbered, table=True):
    """A partner unit (共建单位)."""

    __table_args__ = (UniqueConstraint("community_id", "key"),)

    id: int | None = Field(default=None, primary_key=True)
    community_id: int = Field(foreign_key="community.id", index=True)
    key: str
    name: str
    contact: str = ""
    members: list[int] = json_column(list)
    """Telegram user ids; empty: everybody in the unit's chat acts for it."""
    categories: list[str] = json_column(list)
    districts: list[str] = json_column(list)
    active: bool = True


class Binding(SQLModel, table=True):
    """What a chat is to the alliance: the office of a community, a district's group, a unit's chat."""

    chat_id: int = big_column(primary_key=True)
    role: str
    community_id: int = Field(foreign_key="community.id", index=True)
    district_id: int | None = Field(default=None, foreign_key="district.id")
    unit_id: int | None = Field(default=None, foreign_key="unit.id")
    thread_id: int | None = None
    title: str = ""
    language: str = ""
    lost_at: datetime | None = at_column()
    """When the bot was put out of the chat; None while it is in."""


class CategoryLimit(SQLModel, table=True):
    """An alliance's own limits for a category; empty text: the shipped default stays."""

    category: str = Field(primary_key=True)
    accept: str = ""
    safe: str = ""
    repair: str = ""


class Sequence(SQLModel, table=True):
    """The last number given out in a community and year."""

    community_id: int = Field(foreign_key="community.id", primary_key=True)
    year: int = Field(primary_key=True)
    last: int = 0
