"""The system and the compile cache of the contract's tests."""

import asyncio

import pytest

from tests.contract.conftest import _own_compile_cache, stage

__all__ = ["_own_compile_cache", "stage"]


@pytest.fixture
async def _at_full_speed() -> None:
    """Without the loop's debug mode, which writes a traceback for each future: for tests of how long things take."""
    asyncio.get_running_loop().set_debug(False)
