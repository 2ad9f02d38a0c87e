"""What holds for every test: logs as the program writes them, quiet unless something is wrong."""

import pytest

from bot.logs import set_up


@pytest.fixture(autouse=True)
def plain_logs() -> None:
    set_up("ERROR", "text")
