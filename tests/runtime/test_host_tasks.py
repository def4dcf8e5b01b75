"""Host code behind imports that raises what nobody expects."""

import asyncio
import gc
from typing import Any

import pytest

from airssys_wasm.core.errors import HostFunctionError
from airssys_wasm.runtime import host_tasks
from airssys_wasm.runtime.engine import WasmtimeEngine
from airssys_wasm.testing.clock import settle
from tests.runtime.plugins import Kv, called, start_plugin


class Sudden(BaseException):
    """No Exception."""


class Unspeakable(Exception):
    """Its text cannot be had."""

    def __str__(self) -> str:
        raise ZeroDivisionError


@pytest.mark.parametrize(
    "error", [Sudden, Unspeakable, asyncio.CancelledError, GeneratorExit], ids=lambda e: e.__name__
)
@pytest.mark.parametrize("late", [False, True])
async def test_whatever_host_code_raises_ends_only_the_call(
    engine: WasmtimeEngine, error: type[BaseException], late: bool
) -> None:
    """Also what is no Exception, what cannot be shown, and a cancellation that nobody asked for."""

    class Raising(Kv):
        async def later(self) -> None:
            await asyncio.sleep(0)
            raise error

        def set(self, key: str, value: str) -> Any:
            if late:
                return self.later()
            raise error

    guest = await start_plugin(engine, Raising())
    try:
        with pytest.raises(HostFunctionError, match=rf"set failed: .*{error.__name__}"):
            await called(guest, "remember", "k", "v")
    finally:
        await guest.aclose()


async def test_what_was_raised_as_its_call_was_cancelled_is_no_complaint() -> None:
    """In one turn; asyncio would tell of an exception that nobody has looked at."""
    loop, complaints = asyncio.get_running_loop(), list[dict[str, Any]]()
    loop.set_exception_handler(lambda _loop, complaint: complaints.append(complaint))
    going_on: asyncio.Future[None] = loop.create_future()

    async def raising() -> None:
        await going_on
        raise LookupError

    calling = asyncio.create_task(host_tasks.run(raising, (), "raising"))
    await settle()
    going_on.set_result(None)
    await asyncio.sleep(0)
    calling.cancel()
    await asyncio.wait([calling])
    was_cancelled = calling.cancelled()
    del calling
    gc.collect()
    assert (True, []) == (was_cancelled, complaints)


async def test_a_cancellation_while_an_object_is_left_is_logged(
    engine: WasmtimeEngine, caplog: pytest.LogCaptureFixture
) -> None:
    """The Store is freed all the same."""

    class Sticky(Kv):
        class Store(Kv.Store):
            def __exit__(self, *_error: object) -> None:
                raise asyncio.CancelledError

    guest = await start_plugin(engine, Sticky())
    await called(guest, "keep", Sticky.Store("kept"))
    await guest.aclose()
    assert 0 == engine.live_stores
    assert "Store could not be left: CancelledError" in caplog.text
