"""The one bare task: it owns a task group that may be entered and left in different tasks."""

import asyncio
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Self, final

import anyio
from anyio.abc import TaskGroup


async def _nothing() -> None:
    """Nothing to close."""


@final
class RootTask:
    """A task group in a task of its own, which `__aenter__` starts and `__aexit__` awaits.

    anyio binds a task group to the task that entered it. A test fixture or a web framework's hooks enter and leave in
    different tasks, so the group lives in a third one; nobody who cancels those can break its end off.

    Args:
        name: of the task.
        close: awaited in it, after every task of the group has ended.
    """

    def __init__(self, name: str, close: Callable[[], Awaitable[None]] = _nothing) -> None:
        self._name, self._close = name, close
        self.group: TaskGroup
        self._entered, self._leave = asyncio.Event(), asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Start the task; `group` is there afterwards. Cancellation: the task has ended."""
        self._task = asyncio.create_task(self._own(), name=self._name)
        try:
            await self._entered.wait()
        except asyncio.CancelledError:
            await self.__aexit__(None, None, None)
            raise
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Wait until every task of the group has ended.

        Raises:
            ExceptionGroup: What a task of the group raised.

        Cancellation: the group is cancelled; the cancellation, however often it comes, goes on after the end.
        """
        task = self._task
        if task is None:
            return
        self._leave.set()
        cancelled: asyncio.CancelledError | None = None
        while not task.done():
            try:
                await asyncio.wait([task])
            except asyncio.CancelledError as again:
                cancelled = cancelled or again
                if self._entered.is_set():
                    self.group.cancel_scope.cancel()
        if cancelled is not None:
            raise cancelled
        if not task.cancelled():
            task.result()

    async def _own(self) -> None:
        try:
            async with anyio.create_task_group() as self.group:
                self._entered.set()
                await self._leave.wait()
        finally:
            await self._close()
