"""What holds for every test: logs as the program writes them, quiet unless something is wrong; and its database.

Every test of a module that takes a town, a relay, its settings or its rows from `tests` runs twice, on SQLite and on
PostgreSQL, without asking for it. `@pytest.mark.once` is for the few that are about SQLite's own file, or that need no
database although their module has tests that do.
"""

import os
from collections.abc import Iterator
from typing import Any

import pytest

from bot.logs import set_up
from tests import databases

GIVEN = os.environ.get("DATABASE_URL", "")
"""`DATABASE_URL=postgresql+asyncpg://… make test`: tests use that server instead of a cluster of their own. Its user
must be allowed to create databases; they are called relay_test_… and are gone afterwards."""
DOORS = {
    "tests.town": ("town", "english_town", "relay", "config"),
    "tests.walks": ("walk",),
    "tests.databases": ("opened",),
}


@pytest.hookimpl(trylast=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Last, so that an id ends with the database."""
    inside = vars(metafunc.module)
    opens = any(getattr(inside.get(name), "__module__", "") == home for home, names in DOORS.items() for name in names)
    if opens and metafunc.definition.get_closest_marker("once") is None:
        metafunc.parametrize("database", databases.KINDS, indirect=True)


@pytest.fixture(autouse=True)
def plain_logs() -> None:
    set_up("ERROR", "text")


@pytest.fixture(scope="session")
def server() -> Iterator[Any]:
    """One for each process of pytest, started for the first test that needs it."""
    # Imported late: it brings aiogram, for which a run of the rules' tests need not wait.
    from tests.postgres import MISSING, binaries, serving

    if not GIVEN and binaries() is None:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(MISSING)
    with serving(GIVEN) as found:
        yield found


@pytest.fixture(autouse=True)
def database(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """SQLite, or a fresh database of the server."""
    # What names the tests' server must not reach the relays that they start.
    monkeypatch.delenv("DATABASE_URL", raising=False)
    if getattr(request, "param", "sqlite") == "sqlite":
        yield
        return
    with request.getfixturevalue("server").fresh() as made, databases.on(made):
        yield
