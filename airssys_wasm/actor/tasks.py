"""The tasks that actors live in: a task group without the parts that an actor brings along.

A task of anyio's has a scope, a handle and an event of its own: 3 KiB for each actor and a third of what it costs to
start one. An actor has a scope by which it is ended, and says itself how it ended; what is left is to know them all
and to wait for the last.
"""

import asyncio
from collections.abc import Coroutine
from contextvars import Context, copy_context
from typing import Any, final

import anyio
import attrs


@final
@attrs.define(eq=False, repr=False)
class ActorTasks:
    """Tasks that end by themselves once they are told to; whoever owns this tells them, and awaits `over`.

    Each gets a copy of the context that this was made in, whoever it is that starts it.
    """

    _context: Context = attrs.field(factory=copy_context, init=False)
    _tasks: "set[asyncio.Task[None]]" = attrs.field(factory=set, init=False)

    def start(self, life: Coroutine[Any, Any, None], name: str) -> None:
        """Have a coroutine run from the next turn of the loop on."""
        task = asyncio.get_running_loop().create_task(life, name=name, context=self._context.copy())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def over(self) -> None:
        """Wait until all have ended. Cancellation: comes afterwards."""
        with anyio.CancelScope(shield=True):
            while self._tasks:
                await asyncio.wait(self._tasks)
