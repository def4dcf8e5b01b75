"""An actor's mailbox: signals first, then messages in the order in which they were offered."""

import asyncio
import math
from collections import OrderedDict, deque
from typing import Generic, TypeVar, final

import anyio
import attrs
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from airssys_wasm.actor.envelope import Envelope
from airssys_wasm.core.errors import ActorStopped, MailboxFull
from airssys_wasm.core.exits import ExitReason
from airssys_wasm.core.ids import ComponentId
from airssys_wasm.core.observations import MailboxStatistics

Signal = TypeVar("Signal")


def _refuse(room: "asyncio.Future[bool]") -> None:
    if not room.done():
        room.set_result(False)


@final
@attrs.define(eq=False)
class Mailbox(Generic[Signal]):
    """What waits for one actor; made and used on the loop's own thread.

    Messages lie in an anyio memory channel. The actor takes them without waiting; when there is nothing it waits for
    a future of its own that the next offer completes, a doorbell, which costs a third of the channel's `receive()`.

    | a message | when |
    |---|---|
    | fits | fewer than `capacity` messages wait, and with it no more than `max_bytes` payload bytes |
    | fits always | nothing waits: one larger than `max_bytes` could otherwise never be delivered |
    | waits outside, first come first served | it does not fit, or others wait outside |

    Signals have room always. So have callbacks, which keep their place in the order: their number is bounded where
    requests are made, so that a full mailbox never keeps an answer out. `close` is not optional: an anyio channel that
    is collected unclosed warns.
    """

    component: ComponentId
    capacity: int
    max_bytes: int
    _inlet: MemoryObjectSendStream[Envelope] = attrs.field(init=False)
    _outlet: MemoryObjectReceiveStream[Envelope] = attrs.field(init=False)
    _signals: deque[Signal] = attrs.field(factory=deque, init=False)
    _senders: "OrderedDict[asyncio.Future[bool], Envelope]" = attrs.field(factory=OrderedDict, init=False)
    _waiting: int = attrs.field(default=0, init=False)
    _waiting_bytes: int = attrs.field(default=0, init=False)
    _callbacks: int = attrs.field(default=0, init=False)
    _bell: "asyncio.Future[None] | None" = attrs.field(default=None, init=False)
    _closed: bool = attrs.field(default=False, init=False)
    _reason: ExitReason | None = attrs.field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        self._inlet, self._outlet = anyio.create_memory_object_stream[Envelope](math.inf)

    async def offer(self, envelope: Envelope, wait: float | None) -> None:
        """Put a message in, after those who came earlier; does not yield when there is room.

        Args:
            envelope: the message.
            wait: seconds to wait for room, None without limit; 0 is `offer_nowait`.

        Raises:
            MailboxFull: There was no room in time.
            ActorStopped: The mailbox is closed, or was closed while waiting.

        Cancellation: the message will not be handled. If it was not in yet it is not put in, and its room goes to the
        next sender; if it was, and has not started, it is withdrawn.
        """
        if (wait is not None and wait <= 0) or self._has_room_for(envelope):
            self.offer_nowait(envelope)
        elif not await self._queue(envelope, wait):
            error = self._stopped(envelope) if self._closed else MailboxFull(self.component, envelope.message)
            raise error

    def offer_nowait(self, envelope: Envelope) -> None:
        """Put a message in now.

        Raises:
            MailboxFull: It does not fit, or earlier senders wait for room.
            ActorStopped: The mailbox is closed.
        """
        if not self._has_room_for(envelope):
            raise MailboxFull(self.component, envelope.message)
        self._accept(envelope)

    def put_signal(self, signal: Signal) -> None:
        """Put a signal before all messages, behind earlier signals; ignored once the mailbox is closed."""
        if not self._closed:
            self._signals.append(signal)
            self._ring()

    def put_callback(self, envelope: Envelope) -> bool:
        """Put a callback in, whatever waits; False once the mailbox is closed."""
        if self._closed:
            return False
        self._inlet.send_nowait(envelope)
        self._callbacks += 1
        self._ring()
        return True

    @property
    def callbacks_waiting(self) -> int:
        """Callbacks that have not been taken."""
        return self._callbacks

    def take_nowait(self) -> Signal | Envelope | None:
        """Take what is next, None when there is nothing; the room goes to senders that wait, as many as fit.

        Withdrawn messages come out like others: the actor drops them, and says so.
        """
        if self._signals:
            return self._signals.popleft()
        if not (self._waiting or self._callbacks):
            return None
        envelope = self._outlet.receive_nowait()
        if envelope.reserved:
            self._callbacks -= 1
            return envelope
        self._waiting -= 1
        self._waiting_bytes -= envelope.size
        if self._senders:
            self._admit()
        return envelope

    async def wait(self) -> None:
        """Return as soon as there is something to take, at once if there is; one task at a time.

        Raises:
            ActorStopped: The mailbox is closed: nothing will come.
            RuntimeError: Another task is waiting.

        Cancellation: nothing is lost; what came meanwhile is there for the next `take_nowait`.
        """
        if self._bell is not None:
            raise RuntimeError(f"two tasks wait at the mailbox of {self.component}")
        while not (self._signals or self._waiting or self._callbacks):
            if self._closed:
                raise ActorStopped(self.component, self._reason)
            self._bell = asyncio.get_running_loop().create_future()
            try:
                await self._bell
            finally:
                self._bell = None

    def close(self, reason: ExitReason | None = None) -> list[Envelope]:
        """Refuse everything from now on; senders that wait get `ActorStopped` with the reason.

        Returns:
            The messages that were in, in order, for the caller to answer; none when it was closed already.
        """
        if self._closed:
            return []
        left = [self._outlet.receive_nowait() for _ in range(self._waiting + self._callbacks)]
        self._inlet.close()
        self._outlet.close()
        self._closed, self._reason = True, reason
        self._waiting = self._waiting_bytes = self._callbacks = 0
        for room in self._senders:
            _refuse(room)
        self._senders.clear()
        self._ring()
        return left

    def statistics(self) -> MailboxStatistics:
        """A snapshot; signals and callbacks are not counted."""
        return MailboxStatistics(
            waiting=self._waiting,
            waiting_bytes=self._waiting_bytes,
            capacity=self.capacity,
            capacity_bytes=self.max_bytes,
            senders_waiting=len(self._senders),
        )

    def _has_room_for(self, envelope: Envelope) -> bool:
        return not self._senders and self._fits(envelope)

    def _fits(self, envelope: Envelope) -> bool:
        waiting = self._waiting
        return not waiting or (waiting < self.capacity and self._waiting_bytes + envelope.size <= self.max_bytes)

    def _accept(self, envelope: Envelope) -> None:
        try:
            self._inlet.send_nowait(envelope)
        except anyio.ClosedResourceError:
            raise self._stopped(envelope) from None
        self._waiting += 1
        self._waiting_bytes += envelope.size
        self._ring()

    def _stopped(self, envelope: Envelope) -> ActorStopped:
        return ActorStopped(self.component, self._reason, envelope.message)

    def _ring(self) -> None:
        if self._bell is not None and not self._bell.done():
            self._bell.set_result(None)

    async def _queue(self, envelope: Envelope, wait: float | None) -> bool:
        """Wait outside; True when the message is in."""
        loop = asyncio.get_running_loop()
        room: asyncio.Future[bool] = loop.create_future()
        self._senders[room] = envelope
        timer = None if wait is None else loop.call_later(wait, _refuse, room)
        try:
            return await room
        except asyncio.CancelledError:
            let_in = room.done() and not room.cancelled() and room.result()
            if let_in and not envelope.started:
                envelope.withdrawn = True  # an anyio channel gives nothing back; the actor drops it
            raise
        finally:
            if timer is not None:
                timer.cancel()
            if self._senders.pop(room, None) is not None:
                self._admit()

    def _admit(self) -> None:
        """Let in who waits outside, in order, as many as fit; who has given up is passed over."""
        while self._senders:
            room, envelope = next(iter(self._senders.items()))
            if room.done():
                del self._senders[room]
            elif self._fits(envelope):
                del self._senders[room]
                self._accept(envelope)
                room.set_result(True)
            else:
                return
