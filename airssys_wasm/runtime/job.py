"""A call in a thread's hands: who may touch it now, and how the loop hears of it."""

import asyncio
import contextlib
import threading
from typing import Any, Protocol, final

import anyio

from airssys_wasm.runtime.raised import said


class Pollable(Protocol):
    """A call as the threads see it."""

    slice_ticks: int
    """Ticks that a step may take."""
    stopping: bool
    """Set by the loop: leave at the next slice."""

    def step(self) -> bool:
        """Start or go on for a slice; True when the call has ended."""
        ...

    @property
    def waiting(self) -> bool:
        """Whether it waits for a host function, and so not for its next slice."""
        ...

    def abandon(self) -> None:
        """Told on the loop: the thread does not come back, the call is its own now."""
        ...

    def retire(self) -> None:
        """Told on the thread, should it come back after all: free what the call held."""
        ...


@final
class Job:
    """A call in a thread's hands, and the future that tells the loop how it went: True ended, False waits."""

    def __init__(self, call: Pollable, loop: asyncio.AbstractEventLoop) -> None:
        self.call = call
        self.loop = loop
        self.done: asyncio.Future[bool] = loop.create_future()
        self.ticks = 0
        """Ticks it was given since it began, or since the host answered."""
        self._lock = threading.Lock()
        self._held = self._withdrawn = False
        self._ended = self._abandoned = False

    @property
    def wanted(self) -> bool:
        """Whether the call is to go on: a loop that was closed with calls under way does not stop them."""
        return not (self.call.stopping or self.loop.is_closed())

    def take(self) -> bool:
        """A thread is about to poll the call; False when it was withdrawn meanwhile."""
        with self._lock:
            self._held = not self._withdrawn
            return self._held

    def put_back(self) -> None:
        """The thread has left the call, which waits for its next slice."""
        with self._lock:
            self._held = False

    def withdraw(self) -> bool:
        """Keep every thread from polling the call again; False when one is at it right now."""
        with self._lock:
            self._withdrawn = not self._held
            return self._withdrawn

    def abandon(self) -> bool:
        """Leave the call to its thread; False when the thread has just come back by itself."""
        with self._lock:
            self._abandoned = not self._ended
            if self._abandoned:
                self.call.abandon()
            return self._abandoned

    def end(self) -> bool:
        """The thread is through with the call; True when it was abandoned meanwhile."""
        with self._lock:
            self._ended = True
            return self._abandoned

    def report(self, *, ended: bool) -> None:
        """Tell the loop how it went, from the thread."""
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self.loop.call_soon_threadsafe(self._set, ended)

    def fail(self, error: BaseException) -> None:
        """Tell the loop that the call could not be run.

        Values have code of their own, which may raise anything while they are converted: a `StopIteration` cannot be
        told to anybody, and a cancellation of its making is not the caller's.
        """
        if not isinstance(error, Exception) or isinstance(error, StopIteration):
            error = RuntimeError(said(error))
        with contextlib.suppress(RuntimeError):
            self.loop.call_soon_threadsafe(self._set_error, error)

    def _set(self, ended: bool) -> None:  # noqa: FBT001 - call_soon_threadsafe passes positions only
        if not self.done.done():
            self.done.set_result(ended)

    def _set_error(self, error: BaseException) -> None:
        if not self.done.done():
            self.done.set_exception(error)


async def settled(done: "asyncio.Future[Any]") -> None:
    """Wait for a job whatever happens to the waiting task; its error is the caller's no longer."""
    while not done.done():
        with contextlib.suppress(asyncio.CancelledError), anyio.CancelScope(shield=True):
            await asyncio.wait([done])
    if not done.cancelled():
        done.exception()
