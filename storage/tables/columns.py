"""The kinds of columns and the base that the tables share."""

from typing import Any

from sqlalchemy import JSON, BigInteger, Column
from sqlmodel import Field, SQLModel

from storage.types import Instant


def at_column(index: bool = False, nullable: bool = True) -> Any:
    return Field(default=None, sa_column=Column(Instant, index=index, nullable=nullable))


def big_column(primary_key: bool = False, nullable: bool = False, index: bool = False) -> Any:
    """A Telegram id: more than 32 bits. A primary key of this kind is given, never counted up."""
    column: Column[int] = Column(
        BigInteger, primary_key=primary_key, nullable=nullable, index=index, autoincrement=False
    )
    return Field(default=None, sa_column=column)


def json_column(default: Any) -> Any:
    return Field(default_factory=default, sa_column=Column(JSON, nullable=False))


class Numbered(SQLModel):
    """A row whose id the database gives."""

    @property
    def ident(self) -> int:
        """The id of a row that is stored; asking before that is a mistake in the program."""
        found: int | None = getattr(self, "id", None)
        if found is None:
            raise LookupError(f"{type(self).__name__} has no id before it is stored")
        return found
