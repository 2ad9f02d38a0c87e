"""Who reported or acted, and the shop that spares them from sending a location."""

from sqlmodel import Field, SQLModel

from storage.tables.columns import big_column


class Person(SQLModel, table=True):
    """Somebody who reported, pressed or wrote a command; nobody else is kept."""

    user_id: int = big_column(primary_key=True)
    name: str = ""
    language: str = ""
    started: bool = False
    """Whether the person has written to the bot in private, so that it may write back."""


class Shop(SQLModel, table=True):
    """A reporter's shop as registered with /shop: the address that spares a location."""

    community_id: int = Field(foreign_key="community.id", primary_key=True)
    user_id: int = big_column(primary_key=True)
    name: str
    address: str = ""
