"""Links in a system: components that end together, blocks of host code that end with a component."""

import abc
import contextlib
from collections.abc import AsyncIterator

import anyio

from airssys_wasm.actor.handle import ActorHandle
from airssys_wasm.core.exits import ExitReason, LinkBroken
from airssys_wasm.core.ids import ComponentId
from airssys_wasm.system.builder import Parts


class Linking(abc.ABC):
    """The part of `ActorSystem` that ends things together."""

    @abc.abstractmethod
    def _parts(self) -> Parts:
        """The objects of the running system; raises RuntimeError when it has not been entered."""

    @abc.abstractmethod
    def _handle_of(self, id: ComponentId) -> ActorHandle | None:  # noqa: A002 - the stable name
        """The handle of what is loaded under an id."""

    def link(self, one: ComponentId, other: ComponentId) -> None:
        """Have two components end together: when one ends badly, the other is ended too, at once, as `linked`.

        A bad end is a crash, a failure, or a stop because of another component; an unload, a restart on request and the
        end of the system are none. Whoever is linked to the other one is ended with it, and so on. Each one's own
        supervisor decides what follows, as after a crash. The link lasts over restarts, until one is unloaded. Linking
        twice is linking once.

        Raises:
            TargetNotFound: One of them is not loaded.
            ActorStopped: One has failed, or is being stopped.
        """
        self._parts().supervisor.links.join(one, other)

    def unlink(self, one: ComponentId, other: ComponentId) -> None:
        """Take a link back; silent when there is none."""
        self._parts().supervisor.links.part(one, other)

    @contextlib.asynccontextmanager
    async def linked(self, id: ComponentId) -> AsyncIterator[ActorHandle]:  # noqa: A002 - the stable name
        """A block that ends with a component: `async with system.linked(id) as handle`.

        When the component crashes, fails, is ended because of another one, or is gone, the block is cancelled where it
        waits, and `LinkBroken` comes out of it; also when the component is going to be restarted. A restart on request
        is not noticed. It has no effect on the component how the block ends.

        Yields:
            The component's handle.

        Raises:
            TargetNotFound: No component has this id.
            ActorStopped: It has failed, or is being stopped.
            LinkBroken: It has ended. What the block raises by itself, as `ComponentCrashed` from an ask, goes on as it
                is.

        Cancellation: from outside, goes on as it is.
        """
        links, ends = self._parts().supervisor.links, list[ExitReason]()

        def told(reason: ExitReason) -> None:
            ends.append(reason)
            scope.cancel()

        with anyio.CancelScope() as scope:
            links.enter(id, told)
            handle = self._handle_of(id)
            assert handle is not None  # noqa: S101 - it is there, or `enter` would have raised
            try:
                yield handle
            finally:
                links.leave(id, told)
        if scope.cancelled_caught:
            raise LinkBroken(id, ends[0]) from ends[0].cause
