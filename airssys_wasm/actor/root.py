"""The one bare task: it owns a task group that may be entered and left in different tasks."""

import asyncio
from types import TracebackType
from typing import Self, final

import anyio
from anyio.abc import TaskGroup


@final
class RootTask:
    """A task group in a task of its own, which `__aenter__` starts and `__aexit__` awaits.

    anyio binds a task group to the task that entered it. A test fixture or a web framework's hooks enter and leave in
    different tasks, so the group lives in a third one.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._leave = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Start the task; `group` is there afterwards."""
        entered: asyncio.Future[TaskGroup] = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._own(entered), name=self._name)
        self.group = await entered
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Wait until every task of the group has ended.

        Raises:
            ExceptionGroup: What a task of the group raised.

        Cancellation: the group is cancelled, awaited, and the cancellation goes on.
        """
        task = self._task
        if task is None:
            return
        self._leave.set()
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            self.group.cancel_scope.cancel()
            with anyio.CancelScope(shield=True):
                await asyncio.wait([task])
            raise

    async def _own(self, entered: "asyncio.Future[TaskGroup]") -> None:
        async with anyio.create_task_group() as group:
            entered.set_result(group)
            await self._leave.wait()
