"""Those who wait for a component to start, or to end."""

import asyncio
from typing import final

import attrs


@final
@attrs.define(eq=False)
class Waiters:
    """Those who wait for the same thing; one that gives up takes nothing from the others."""

    _futures: "dict[asyncio.Future[None], None] | None" = attrs.field(default=None, init=False)
    """None while nobody waits, as almost always."""

    def __len__(self) -> int:
        return len(self._futures or ())

    def join(self) -> "asyncio.Future[None]":
        """A future of one's own."""
        future = asyncio.get_running_loop().create_future()
        self.add(future)
        return future

    def add(self, future: "asyncio.Future[None]") -> None:
        """Complete this future too, unless whoever waits for it gives up."""
        if self._futures is None:
            self._futures = {}
        self._futures[future] = None
        future.add_done_callback(self._leave)

    def settle(self, error: BaseException | None = None) -> None:
        """It has come, or it never will."""
        futures, self._futures = self._futures, None
        for future in futures or ():
            if not future.done() and error is None:
                future.set_result(None)
            elif not future.done() and error is not None:
                future.set_exception(error)

    def _leave(self, future: "asyncio.Future[None]") -> None:
        if self._futures is not None:
            self._futures.pop(future, None)
