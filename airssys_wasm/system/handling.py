"""One call of host code that is served, in a task of its own: a handler that does not end can be left behind."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final, final

import anyio
import attrs

from airssys_wasm.actor.waits import working
from airssys_wasm.core.errors import GuestError, Interrupted
from airssys_wasm.core.ids import ComponentId
from airssys_wasm.core.messages import ComponentMessage

LEAVE_SECONDS: Final = 1.0
"""How long a handler may take to end once it is cancelled: enough for a clean-up, less than a grace period."""

_log: Final = logging.getLogger(__name__)


@final
@attrs.define(eq=False)
class HandlerCall:
    """Made for one `run`. A handler that takes no notice of its cancellation cannot be ended, only left."""

    component: ComponentId
    _over: "asyncio.Future[None]" = attrs.field(factory=lambda: asyncio.get_running_loop().create_future(), init=False)
    _task: "asyncio.Task[Any] | None" = attrs.field(default=None, init=False)
    _interrupted: bool = attrs.field(default=False, init=False)

    async def run(
        self, handler: Callable[[ComponentMessage], Awaitable[Any]], message: ComponentMessage, seconds: float
    ) -> Any:
        """Have the handler return within that time.

        Raises:
            GuestError: Of the handler; timeout when its time is over, runtime-error for anything else that it raises.
            Interrupted: `interrupt` was called.

        Cancellation: the handler is cancelled, and has ended or was left behind.
        """
        loop = asyncio.get_running_loop()
        self._task = task = loop.create_task(
            _handled(self.component, handler, message), name=f"{self.component} handler"
        )
        task.add_done_callback(self._end)
        timer = loop.call_later(seconds, self._end)
        ended = False
        try:
            await self._over
            ended = task.done()
        finally:
            timer.cancel()
            if not ended:
                await self._leave(task)
        if ended:
            return self._result(task)  # also when it was interrupted in the turn in which it ended: it has been handled
        if self._interrupted:
            raise Interrupted
        raise GuestError("timeout")

    def interrupt(self) -> None:
        """Cancel the handler; nothing when it has ended."""
        if self._task is None or not self._task.done():
            self._interrupted = not self._over.done()
            self._end()

    def _end(self, _task: object = None) -> None:
        if not self._over.done():
            self._over.set_result(None)

    def _result(self, task: "asyncio.Task[Any]") -> Any:
        try:
            return task.result()
        except GuestError:
            raise
        except (Exception, asyncio.CancelledError) as exc:
            _log.exception("%s: the handler failed", self.component)
            raise GuestError("runtime-error", f"the handler failed: {type(exc).__name__}") from exc

    async def _leave(self, task: "asyncio.Task[Any]") -> None:
        task.cancel()
        with anyio.CancelScope(shield=True):
            await asyncio.wait([task], timeout=LEAVE_SECONDS)
        if task.done():
            task.cancelled() or task.exception()
        else:
            _log.error("%s: the handler does not end though it was cancelled; it is left behind", self.component)


async def _handled(
    component: ComponentId, handler: Callable[[ComponentMessage], Awaitable[Any]], message: ComponentMessage
) -> Any:
    with working(component):
        return await handler(message)
