"""Who waits for room in a mailbox."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from typing import final

import attrs

from airssys_wasm.actor.envelope import Envelope


def _refuse(room: "asyncio.Future[bool]") -> None:
    if not room.done():
        room.set_result(False)


@final
@attrs.define(eq=False)
class Doorstep:
    """Messages outside a mailbox, first come first served; `fits`, `accept` and `discard` are the mailbox's."""

    fits: Callable[[Envelope], bool]
    accept: Callable[[Envelope], None]
    discard: Callable[[Envelope], object]
    rooms: "OrderedDict[Envelope, asyncio.Future[bool]]" = attrs.field(factory=OrderedDict, init=False)

    def __len__(self) -> int:
        return len(self.rooms)

    async def wait(self, envelope: Envelope, seconds: float | None) -> bool:
        """Wait outside; True when the message is in. Cancellation: it is not in, unless it has been taken."""
        loop = asyncio.get_running_loop()
        room: asyncio.Future[bool] = loop.create_future()
        self.rooms[envelope] = room
        timer = None if seconds is None else loop.call_later(seconds, _refuse, room)
        try:
            return await room
        except asyncio.CancelledError:
            self.discard(envelope)  # it may have been let in before its task could go on
            raise
        finally:
            if timer is not None:
                timer.cancel()
            if self.rooms.pop(envelope, None) is not None:
                self.admit()

    def admit(self) -> None:
        """Let in who waits, in order, as many as fit; who has given up is passed over."""
        while self.rooms:
            envelope, room = next(iter(self.rooms.items()))
            if not room.done() and not envelope.lost:
                if not self.fits(envelope):
                    return
                self.accept(envelope)
            del self.rooms[envelope]
            if not room.done():
                room.set_result(True)

    def refuse_all(self) -> None:
        """There will be no room."""
        for room in self.rooms.values():
            _refuse(room)
        self.rooms.clear()
