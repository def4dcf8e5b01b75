"""The bench of this folder's tests."""

from collections.abc import AsyncIterator

import pytest

from tests.actor.bench import Bench, opened


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    """A supervisor on scripted guests; setup and teardown run in different tasks."""
    async with opened() as bench:
        yield bench
