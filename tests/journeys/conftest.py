"""The system of the contract's tests."""

import asyncio

import pytest

from tests.contract.conftest import stage

__all__ = ["stage"]


@pytest.fixture
async def _at_full_speed() -> None:
    """Without the loop's debug mode, which writes a traceback for each future: for tests of how long things take."""
    asyncio.get_running_loop().set_debug(False)
