"""One message's way: authorise, stamp, resolve, offer.

| who sends | authorised by | waits for room |
|---|---|---|
| host code, by a handle or by id | nobody: it needs no grant | ask within its timeout, tell without limit |
| a guest | the guard | `Limits.send_wait`, to itself not at all |

A message that is refused on its way goes to the dead letters, with the error that its sender gets.
"""

import time
from collections.abc import Awaitable, Sequence
from typing import Any, Final, final

import attrs

from airssys_wasm.actor.child import Child
from airssys_wasm.actor.delivery import Delivery
from airssys_wasm.actor.health import health_of
from airssys_wasm.actor.registry import Registry
from airssys_wasm.core.calls import Invocation
from airssys_wasm.core.errors import AirssysError, CapabilityDenied, DeliveryError, PolicyViolation, TargetNotFound
from airssys_wasm.core.ids import HOST_NAMESPACE, ComponentId
from airssys_wasm.core.messages import (
    CONTENT_TYPE_CALL,
    ComponentMessage,
    MessageMetadata,
    MessagePayload,
    Payload,
    as_bytes,
)
from airssys_wasm.core.observations import DeadLetter, DeadLetterReason, Observer
from airssys_wasm.core.ports import ComponentInfo, HostState
from airssys_wasm.messaging.pace import Pace
from airssys_wasm.messaging.requests import Requests, new_correlation_id
from airssys_wasm.security.capabilities import MessageAction
from airssys_wasm.security.guard import Guard

_EMPTY: Final = MessagePayload()

_JUDGED_AT_ONCE: Final = 50
"""Components that it is asked of whether they may be sent to, some 5 µs each."""

_UNDELIVERED: Final = {
    CapabilityDenied: DeadLetterReason.DENIED,
    PolicyViolation: DeadLetterReason.DENIED,
    TargetNotFound: DeadLetterReason.TARGET_NOT_FOUND,
}


@final
@attrs.define(eq=False, repr=False)
class Router:
    """Carries messages of host code (`host` is its address) and of guests; the outbox of both."""

    host: ComponentId
    guard: Guard
    registry: Registry
    delivery: Delivery
    requests: Requests
    observer: Observer
    _stamp: MessageMetadata = attrs.field(factory=MessageMetadata, init=False)

    def ask(
        self, child: Child, payload: Payload, timeout: float | None, content_type: str | None, *, interrupt: bool
    ) -> Awaitable[bytes | None]:
        """Carry an ask of host code; see `Delivery.ask`."""
        message = self._stamped(self.host, payload, content_type)
        return self.delivery.ask(child, message, timeout, interrupt=interrupt)

    def call(self, child: Child, invocation: Invocation, timeout: float | None, *, interrupt: bool) -> Awaitable[Any]:
        """Carry a typed call of host code; see `Delivery.ask`."""
        content_type = f"{CONTENT_TYPE_CALL}; {invocation.interface}#{invocation.function}"
        message = self._stamped(self.host, _EMPTY, content_type)
        return self.delivery.ask(child, message, timeout, interrupt=interrupt, invocation=invocation)

    def tell(self, child: Child, payload: Payload, content_type: str | None, timeout: float | None) -> Awaitable[None]:
        """Carry a message of host code, waiting for room."""
        return self.delivery.tell(child, self._stamped(self.host, payload, content_type), None, timeout=timeout)

    def tell_nowait(self, child: Child, payload: Payload, content_type: str | None, timeout: float | None) -> None:
        """Carry a message of host code if there is room."""
        self.delivery.tell_nowait(child, self._stamped(self.host, payload, content_type), timeout)

    async def send(
        self,
        sender: ComponentId,
        target: ComponentId,
        payload: Payload,
        *,
        wait: float | None,
        content_type: str | None = None,
        action: MessageAction = "send",
        timeout: float | None = None,
        by_host: bool = False,
    ) -> None:
        """Carry a message from one address to another.

        Args:
            sender: who sends it, as the target will be told; the caller vouches for it.
            target: who is to get it.
            payload: any bytes.
            wait: seconds to wait for room, None without limit; a message to oneself never waits.
            content_type: what the target is told of the payload's format.
            action: as what it has to be granted.
            timeout: seconds after which it is not worth handling; None: never.
            by_host: whether host code waits for room, and not the sender itself.

        Raises:
            DeliveryError: It was not accepted; its class says why, and it carries the message.

        Cancellation: the message will not be handled, unless it has started.
        """
        message = self._stamped(sender, payload, content_type)
        child = self._resolved(message, action, target)
        guest = None if by_host else sender
        await self.delivery.tell(child, message, 0 if target == sender else wait, timeout=timeout, guest=guest)

    async def request(
        self,
        requester: HostState,
        target: ComponentId,
        payload: Payload,
        *,
        timeout: float,
        content_type: str | None = None,
        by_host: bool = False,
    ) -> str:
        """Carry a request; its answer comes to the requester's `handle-callback`, if the same instance is still there.

        Args:
            requester: the instance that asks.
            target: who is asked.
            payload: any bytes.
            timeout: seconds until the callback says timeout; 0 at once.
            content_type: what the target is told of the payload's format.
            by_host: whether host code waits for room, and not the requester itself.

        Returns:
            The correlation id, which the callback carries.

        Raises:
            DeliveryError: It was not accepted; `MailboxFull` also when too many requests are under way.

        Cancellation: the request is taken back; its message will not be handled, unless it has started.
        """
        sender, correlation_id = requester.component_id, new_correlation_id()
        metadata = MessageMetadata(correlation_id, sender, time.time_ns() // 1_000_000, content_type)
        message = ComponentMessage(sender, MessagePayload(as_bytes(payload)), metadata)
        child = self._resolved(message, "request", target)
        wait = 0 if target == sender else requester.limits.send_wait
        await self.requests.make(requester, child, message, timeout, wait, guest=None if by_host else sender)
        return correlation_id

    def lose_request(
        self,
        requester: ComponentId,
        target: ComponentId,
        payload: Payload,
        content_type: str | None,
        error: AirssysError,
    ) -> None:
        """Report a request that host code was to make for a component that has no instance to make it."""
        message = self._stamped(requester, payload, content_type)
        if isinstance(error, DeliveryError):
            error.message = message
        self.observer.dead_letter(DeadLetter(target, message, DeadLetterReason.REQUESTER_GONE, error))

    def cancel_request(self, requester: HostState, correlation_id: str) -> None:
        """Forget a request of this instance; silent when it has ended, or never was this one's."""
        self.requests.cancel(requester, correlation_id)

    def has_requests(self, requester: HostState) -> bool:
        """Whether a request of this instance has not ended."""
        return self.requests.has_any(requester)

    def forget(self, requester: HostState) -> None:
        """An instance has ended, and its requests with it."""
        self.requests.forget(requester)

    async def broadcast(
        self, sender: ComponentId, targets: Sequence[ComponentId], payload: bytes, *, wait: float
    ) -> Sequence[ComponentId]:
        """Carry one payload to every target, going on past failures.

        Args:
            sender: who sends it.
            targets: who is to get it.
            payload: any bytes.
            wait: seconds to wait for room, all targets together.

        Returns:
            The targets that did not accept it.
        """
        deadline, pace = self.delivery.clock.time() + wait, Pace()
        failed = []
        for target in targets:
            left = max(0.0, deadline - self.delivery.clock.time())
            try:
                await self.send(sender, target, payload, wait=left, action="broadcast")
            except DeliveryError:
                failed.append(target)
            await pace.breathe()
        return failed

    def describe(self, sender: ComponentId, target: ComponentId) -> ComponentInfo | None:
        """What a component may know of another: None for one that is not there, or that it may not send to."""
        child = self.registry.get(target)
        if child is None or not self.guard.reachable(sender, (target,), time.time()):
            return None
        health = health_of(child.state, child.health.status)
        return ComponentInfo(target, child.metadata.name, child.metadata.version, health)

    async def reachable(self, sender: ComponentId) -> Sequence[ComponentId]:
        """The components that the sender may send to, of those that are there now."""
        ids, now, pace = self.registry.ids(), time.time(), Pace()
        found: list[ComponentId] = []
        for start in range(0, len(ids), _JUDGED_AT_ONCE):
            found += self.guard.reachable(sender, ids[start : start + _JUDGED_AT_ONCE], now)
            await pace.breathe()
        return found

    def _resolved(self, message: ComponentMessage, action: MessageAction, target: ComponentId) -> Child:
        """Whom a message goes to, if it may; otherwise it is a dead letter."""
        try:
            self._authorise(message, action, target)
            return self.registry.by_id(target, message)
        except DeliveryError as exc:
            self.observer.dead_letter(DeadLetter(target, message, _UNDELIVERED[type(exc)], exc))
            raise

    def _authorise(self, message: ComponentMessage, action: MessageAction, target: ComponentId) -> None:
        if message.sender.namespace != HOST_NAMESPACE:
            self.guard.authorise_message(message.sender, action, target, time.time(), message)

    def _stamped(self, sender: ComponentId, payload: Payload, content_type: str | None) -> ComponentMessage:
        """The message as the target gets it: who it is from and may be answered to, and when it was sent."""
        now_ms = time.time_ns() // 1_000_000
        stamp = self._stamp  # the same for all that are sent within a millisecond
        if stamp.timestamp_ms != now_ms or stamp.content_type != content_type or stamp.reply_to is not sender:
            stamp = self._stamp = MessageMetadata(None, sender, now_ms, content_type)
        return ComponentMessage(sender, payload, stamp)
