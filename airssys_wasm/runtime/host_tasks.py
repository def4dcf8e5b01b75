"""Host code that a guest calls is somebody else's: whatever it raises is an exception, and it can be left behind."""

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final

import anyio

from airssys_wasm.runtime.raised import said

LEAVE_SECONDS: Final = 1.0
"""How long a coroutine may take to end once it is cancelled: enough for a clean-up, less than a grace period."""

_logger: Final = logging.getLogger("airssys_wasm.runtime")


async def run(function: Callable[..., Any], arguments: tuple[Any, ...], name: str) -> Any:
    """Call a function, and await in a task of its own what it returns if that can be awaited.

    Args:
        function: of the host's, plain or async.
        arguments: what it is called with.
        name: its own, for the log.

    Raises:
        RuntimeError: It raised what is no Exception; a cancellation of its own making is not the caller's.

    Cancellation: the coroutine is cancelled too, and has ended or was left behind.
    """
    try:
        value = function(*arguments)
    except (Exception, KeyboardInterrupt, SystemExit):
        raise
    except BaseException as exc:
        raise RuntimeError(said(exc)) from exc
    return await _awaited(value, name) if inspect.isawaitable(value) else value


async def _awaited(awaitable: Awaitable[Any], name: str) -> Any:
    task = asyncio.ensure_future(awaitable)
    try:
        await asyncio.wait([task])
        return _outcome(task)
    finally:
        if not task.done():
            await _leave(task, name)
        elif not task.cancelled():
            task.exception()  # raised in the turn in which the call was cancelled: nobody else looks at it
        del task  # what it raised leads back here: no cycle, so that the guest goes without a garbage collection


def _outcome(task: "asyncio.Future[Any]") -> Any:
    try:
        return task.result()
    except (Exception, KeyboardInterrupt, SystemExit):
        raise
    except BaseException as exc:
        raise RuntimeError(said(exc)) from exc
    finally:
        del task


async def _leave(task: "asyncio.Future[Any]", name: str) -> None:
    task.cancel()
    task.add_done_callback(lambda task: task.cancelled() or task.exception())
    with anyio.CancelScope(shield=True):
        await asyncio.wait([task], timeout=LEAVE_SECONDS)
    if not task.done():
        _logger.error("%s does not end though it was cancelled; it is left behind", name)
