"""A guest's requests: sent like messages, answered by one callback each.

    request ─► table: open ─► offer to the target ─► its actor answers, fails or is gone ─► table: resolve ─► callback
                    │ refused: taken back                                 time is up ─► table: expire ──► callback

| how it ended | content-type of the callback | payload |
|---|---|---|
| some(payload) | none | the payload |
| none | `application/x.airssys.none` | empty |
| anything else | `application/x.airssys.error+json` | {"error": case of wasm-error, "detail": text} |

What a mailbox's policy drops ends as resource-limit-exceeded.

A request belongs to the instance that made it (its `HostState`). When that ends, its requests and the callbacks that
wait for it are dropped and counted, and so are answers that come after the end of their request.
"""

import asyncio
import json
import time
import uuid
from functools import partial
from typing import Final, final

import attrs

from airssys_wasm.actor.child import Child
from airssys_wasm.actor.delivery import Delivery
from airssys_wasm.actor.envelope import Envelope
from airssys_wasm.actor.registry import Registry
from airssys_wasm.core.errors import (
    ActorStopped,
    ComponentCrashed,
    DeliveryError,
    GuestError,
    MailboxFull,
    PayloadTooLarge,
)
from airssys_wasm.core.ids import ComponentId
from airssys_wasm.core.messages import (
    CONTENT_TYPE_ERROR,
    CONTENT_TYPE_NONE,
    ComponentMessage,
    MessageMetadata,
    MessagePayload,
)
from airssys_wasm.core.observations import DeadLetter, DeadLetterReason
from airssys_wasm.core.ports import HostState, Timer
from airssys_wasm.messaging.correlation import Pending, PendingRequests

MAX_DETAIL_CHARS: Final = 1024
"""Of another component's words, how many an error callback repeats."""

Answer = tuple[bytes, str | None]
"""The payload and the content-type of a callback."""


def new_correlation_id() -> str:
    """A random UUID (RFC 9562, version 4): nobody can guess another's."""
    return str(uuid.uuid4())


def answer_of(target: ComponentId, reply: "asyncio.Future[bytes | None]", max_payload_bytes: int) -> Answer:
    """What the requester is told of how its message went.

    An error says no more of the target than its own words in an err: no backtrace, no payload.
    """
    error = reply.exception()
    if error is not None:
        return failure(*_case_of(target, error))
    payload = reply.result()
    if payload is None:
        return b"", CONTENT_TYPE_NONE
    if len(payload) > max_payload_bytes:
        return failure("resource-limit-exceeded", f"the answer has {len(payload)} bytes")
    return payload, None


def _case_of(target: ComponentId, error: BaseException) -> tuple[str, str]:
    """The case of wasm-error for what ended a message, and the text with it."""
    match error:
        case GuestError():
            return error.case, error.text
        case ComponentCrashed(__cause__=PayloadTooLarge()):
            return "resource-limit-exceeded", f"the answer of {target} is over its limit"
        case MailboxFull():
            return "resource-limit-exceeded", f"the mailbox of {target} was full; the message was dropped"
        case ActorStopped():
            return "component-not-found", f"{target} has stopped"
        case _:
            return "runtime-error", f"{target} crashed"


def failure(case: str, detail: str) -> Answer:
    """An error as a callback carries it."""
    return json.dumps({"error": case, "detail": detail[:MAX_DETAIL_CHARS]}).encode(), CONTENT_TYPE_ERROR


@final
@attrs.define(eq=False, repr=False)
class Requests:
    """The requests of a system: their table, its one timer, and the callbacks."""

    registry: Registry
    delivery: Delivery
    late_answers: int = attrs.field(default=0, init=False)
    """Answers that came after their request had ended."""
    dropped: int = attrs.field(default=0, init=False)
    """Requests whose instance had ended."""
    _table: PendingRequests = attrs.field(factory=PendingRequests, init=False)
    _under_way: dict[str, tuple[Child, Envelope]] = attrs.field(factory=dict, init=False)
    _timer: Timer | None = attrs.field(default=None, init=False)
    _rings_at: float | None = attrs.field(default=None, init=False)

    def __len__(self) -> int:
        return len(self._table)

    async def make(
        self,
        requester: HostState,
        child: Child,
        message: ComponentMessage,
        timeout: float,
        wait: float,
        *,
        guest: ComponentId | None = None,
    ) -> None:
        """Register a request and offer its message; what is not accepted is not registered either.

        Args:
            requester: the instance that asks, and will get the callback.
            child: who is asked.
            message: what it gets; its correlation id names the request.
            timeout: seconds until the callback says timeout; 0 at once.
            wait: seconds to wait for room in the target's mailbox, no longer than the timeout.
            guest: the requester, if it can do nothing else meanwhile; None: host code waits.

        Raises:
            MailboxFull: The requester has `Limits.max_pending_requests` requests or callbacks waiting, or there was
                no room for the message.
            DeliveryError: What else kept it from being accepted.

        Cancellation: the request is taken back.
        """
        correlation_id = message.metadata.correlation_id or ""
        self._check_room(requester, child, message)
        reply: asyncio.Future[bytes | None] = asyncio.get_running_loop().create_future()
        reply.add_done_callback(partial(self._answered, correlation_id))
        due = self.delivery.clock.time() + timeout
        envelope = Envelope(message, reply, due=due)
        self._under_way[correlation_id] = child, envelope
        self._table.open(Pending(correlation_id, requester, child.id, due))
        self._set_timer()
        try:
            await self.delivery.offer(child, envelope, min(wait, timeout), guest)
        except BaseException as exc:
            pending = self._table.resolve(correlation_id)
            if pending is None and isinstance(exc, DeliveryError):
                return  # it expired while it waited for room: its callback is on the way, and there is only one answer
            self._end(pending, DeadLetterReason.WITHDRAWN)
            raise

    def cancel(self, requester: HostState, correlation_id: str) -> None:
        """Forget a request of this instance; its answer is dropped, also where it waits in the mailbox already.

        A message that has not begun never will; one that has is finished.
        """
        pending = self._table.cancel(correlation_id, requester)
        if pending is not None:
            self._end(pending, DeadLetterReason.WITHDRAWN)
        elif requester.drop_callback is not None:
            requester.drop_callback(correlation_id)

    def has_any(self, requester: HostState) -> bool:
        """Whether a request of this instance has not ended."""
        return self._table.count(requester) > 0

    def forget(self, requester: HostState) -> None:
        """An instance has ended: drop its requests."""
        for pending in self._table.forget(requester):
            self.dropped += 1
            self._end(pending, DeadLetterReason.WITHDRAWN)
        self._set_timer()

    def _check_room(self, requester: HostState, target: Child, message: ComponentMessage) -> None:
        """Each request has a place for its callback from the start, so that a callback never finds a full mailbox."""
        child = self.registry.get(requester.component_id)
        taken = self._table.count(requester) + (child.mailbox.callbacks_waiting if child is not None else 0)
        if taken >= requester.limits.max_pending_requests:
            error = MailboxFull(requester.component_id, message)
            target.lose(Envelope(message), DeadLetterReason.TOO_MANY_REQUESTS, error)
            raise error

    def _answered(self, correlation_id: str, reply: "asyncio.Future[bytes | None]") -> None:
        self._under_way.pop(correlation_id, None)
        pending = self._table.resolve(correlation_id)
        if pending is None:
            self.late_answers += 1
            reply.exception()
            return
        self._call_back(pending, answer_of(pending.target, reply, pending.requester.limits.max_payload_bytes))

    def _expired(self) -> None:
        self._timer = self._rings_at = None
        for pending in self._table.expire(self.delivery.clock.time()):
            self._end(pending, DeadLetterReason.EXPIRED)
            self._call_back(pending, failure("timeout", f"{pending.target} did not answer in time"))
        self._set_timer()

    def _end(self, pending: Pending | None, reason: DeadLetterReason) -> None:
        """Nobody waits for the answer any more: a message that has not started never will."""
        under_way = self._under_way.pop(pending.correlation_id, None) if pending is not None else None
        if under_way is not None:
            child, envelope = under_way
            child.withdraw(envelope, reason)

    def _call_back(self, pending: Pending, answer: Answer) -> None:
        """Put the callback into the requester's mailbox, if the instance that asked is still there."""
        payload, content_type = answer
        now_ms = time.time_ns() // 1_000_000
        metadata = MessageMetadata(pending.correlation_id, pending.target, now_ms, content_type)
        message = ComponentMessage(pending.target, MessagePayload(payload), metadata)
        requester = pending.requester
        if requester.take_callback is None or not requester.take_callback(message):
            letter = DeadLetter(requester.component_id, message, DeadLetterReason.REQUESTER_GONE)
            self.delivery.observer.dead_letter(letter)
            self._set_timer()  # it has been forgotten before, so nobody else takes the timer away

    def _set_timer(self) -> None:
        """One timer for all requests, moved when an earlier one is due."""
        due = self._table.next_due()
        if due is not None and self._rings_at is not None and self._rings_at <= due:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._rings_at = due
        self._timer = None if due is None else self.delivery.clock.call_at(due, self._expired)
