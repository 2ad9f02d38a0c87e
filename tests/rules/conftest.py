"""The bench every rule is tried on."""

from collections.abc import Iterator

import pytest

from tests.rules.bench import Bench, fresh_session


@pytest.fixture
def bench() -> Iterator[Bench]:
    with fresh_session() as session:
        yield Bench(session)
