"""Threads for host functions that may block: one a call, capped, abandoned when they outlive it."""

import asyncio
import contextlib
import contextvars
import logging
import threading
from collections.abc import Callable
from typing import Any, Final, final

import anyio

from airssys_wasm.core.errors import TooManyThreads
from airssys_wasm.runtime.blocking import MAX_ABANDONED_THREADS, MAX_BLOCKING_THREADS

_logger: Final = logging.getLogger("airssys_wasm.runtime")


@final
class HostThreads:
    """Runs each call of a blocking host function in a daemon thread of its own."""

    def __init__(self, size: int = MAX_BLOCKING_THREADS) -> None:
        self._room = anyio.CapacityLimiter(size)
        self._abandoned = 0
        self._count = 0

    @property
    def abandoned(self) -> int:
        """Threads whose call is over and that have not returned."""
        return self._abandoned

    async def run(self, function: Callable[..., Any], arguments: tuple[Any, ...], name: str) -> Any:
        """Call a function in a thread; raises what it raises.

        Raises:
            TooManyThreads: Too many earlier calls have not returned.

        Cancellation: the thread is left to itself at once, and counted until it returns.
        """
        if self._abandoned >= MAX_ABANDONED_THREADS:
            raise TooManyThreads(self._abandoned)
        async with self._room:
            work = _Work(function, arguments)
            self._count += 1
            thread = threading.Thread(target=work.run, name=f"airssys-host-{self._count}", daemon=True)
            thread.start()
            try:
                return await work.done
            except asyncio.CancelledError:
                if not work.returned:
                    self._abandoned += 1
                    work.on_return = self._come_back
                    _logger.warning("%s outlives its call; thread %s is abandoned", name, thread.name)
                raise

    def _come_back(self) -> None:
        self._abandoned -= 1


@final
class _Work:
    """One call in a thread; all but `run` belongs to the loop."""

    def __init__(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        self._loop = asyncio.get_running_loop()
        self._call = contextvars.copy_context().run
        self._function, self._arguments = function, arguments
        self.done: asyncio.Future[Any] = self._loop.create_future()
        self.returned = False
        self.on_return: Callable[[], None] | None = None

    def run(self) -> None:
        """Called in the thread."""
        value, error = None, None
        try:
            value = self._call(self._function, *self._arguments)
        except BaseException as exc:  # noqa: BLE001 - it belongs to the caller, not to this thread
            error = exc
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(self._return, value, error)

    def _return(self, value: Any, error: BaseException | None) -> None:
        self.returned = True
        if self.on_return is not None:
            self.on_return()
        if self.done.done():
            return
        if error is None:
            self.done.set_result(value)
        elif isinstance(error, Exception) and not isinstance(error, StopIteration):
            self.done.set_exception(error)
        else:  # a future takes no StopIteration, and a SystemExit in a thread ends nobody else
            self.done.set_exception(RuntimeError(f"{type(error).__name__}: {error}"))
