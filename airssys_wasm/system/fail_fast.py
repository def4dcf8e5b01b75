"""What ends a system when a supervisor that has none above it gives up."""

import asyncio
from typing import final

import attrs

from airssys_wasm.actor.supervisor import Supervisor
from airssys_wasm.core.errors import ActorStopped
from airssys_wasm.core.exits import ExitReason
from airssys_wasm.core.ids import ComponentId


@final
@attrs.define(eq=False)
class FailFast:
    """Cancels the task that entered the system and turns that into an ExceptionGroup, as `asyncio.TaskGroup` does.

    A task that has left the block, or has ended, is not cancelled.
    """

    enabled: bool
    _failures: list[ActorStopped] = attrs.field(factory=list, init=False)
    _owner: "asyncio.Task[object] | None" = attrs.field(default=None, init=False)
    _cancelled: bool = attrs.field(default=False, init=False)

    def enter(self, supervisor: Supervisor) -> None:
        """The present task is in the block from now on."""
        if self.enabled:
            self._owner = asyncio.current_task()
            supervisor.on_failed(self._failed)

    def leave(self, exc: BaseException | None) -> bool:
        """The block is being left: cancel nobody any more.

        Returns:
            Whether what leaves it is anything but the cancellation that came from here.
        """
        owner, self._owner = self._owner, None
        is_here = asyncio.current_task() is owner
        if owner is None or not self._cancelled or not is_here:
            return True
        return owner.uncancel() > 0 or not isinstance(exc, asyncio.CancelledError)

    def raise_failures(self, exc: BaseException | None, *, is_other: bool) -> None:
        """Raise an ExceptionGroup of all that failed, unless something goes on that is no Exception.

        Args:
            exc: what leaves the block.
            is_other: what `leave` said of it.
        """
        if not self._failures or (is_other and exc is not None and not isinstance(exc, Exception)):
            return
        others = [exc] if isinstance(exc, Exception) else []
        raise ExceptionGroup("supervisors have failed", [*self._failures, *others])

    def _failed(self, component: ComponentId, reason: ExitReason) -> None:
        """A supervisor gave up on this component."""
        failure = ActorStopped(component, reason)
        failure.__cause__ = reason.cause
        self._failures.append(failure)
        if self._owner is not None and not self._cancelled:
            self._cancelled = self._owner.cancel()
