"""The engine as a soak uses it: real guests, and between them and the system someone who writes down and breaks things.

Everything stands on public ports: `GuestHost` and `Guest` see what a guest gets and how its calls end, `Outbox` sees
what it sends.
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from typing import Any, Literal, final

import attrs

from airssys_wasm import ComponentConfig, ComponentId, ComponentMessage, ComponentReport, GuestError, Limits
from airssys_wasm.core.calls import CallRefused, Err, Given, Invocation
from airssys_wasm.core.observations import Compilation
from airssys_wasm.core.ports import (
    Answered,
    ComponentInfo,
    ComponentMetadata,
    Guest,
    GuestHost,
    HealthStatus,
    HostState,
    Outbox,
)
from airssys_wasm.core.storage import AuthoriseStorage, StorageUnavailable
from benchmarks.soak_ledger import Ledger, number_of

STORAGE_FAILS_EVERY = 97
STORAGE_BREAKS_EVERY = 1009


class Fault(Exception):
    """A host function that fails on purpose."""


@final
@attrs.frozen(eq=False)
class WatchedOutbox:
    """Notes each message of one guest before it goes to the router, and fails where the plan says so."""

    inner: Outbox
    ledger: Ledger

    async def send(self, sender: ComponentId, target: ComponentId, payload: bytes, *, wait: float) -> None:
        """Note and pass on."""
        self._note(payload, [target], sender)
        await self.inner.send(sender, target, payload, wait=wait)

    async def broadcast(
        self, sender: ComponentId, targets: Sequence[ComponentId], payload: bytes, *, wait: float
    ) -> Sequence[ComponentId]:
        """Note and pass on; one that is stopped half-way has sent to some only."""
        number = self._note(payload, targets, sender)
        try:
            return await self.inner.broadcast(sender, targets, payload, wait=wait)
        except BaseException:
            self.ledger.cut_off(number, list(targets))
            raise

    async def request(self, requester: HostState, target: ComponentId, payload: bytes, *, timeout: float) -> str:
        """Note and pass on; an accepted request is owed a callback."""
        self._note(payload, [target], requester.component_id)
        correlation_id = await self.inner.request(requester, target, payload, timeout=timeout)
        self.ledger.owes(correlation_id, requester)
        return correlation_id

    def cancel_request(self, requester: HostState, correlation_id: str) -> None:
        """Pass on: no callback is owed any more."""
        self.ledger.callbacks["cancelled"] += self.ledger.requests.pop(correlation_id, None) is not None
        self.inner.cancel_request(requester, correlation_id)

    def has_requests(self, requester: HostState) -> bool:
        """Pass on."""
        return self.inner.has_requests(requester)

    def forget(self, requester: HostState) -> None:
        """Pass on."""
        self.inner.forget(requester)

    def describe(self, sender: ComponentId, target: ComponentId) -> ComponentInfo | None:
        """Pass on."""
        return self.inner.describe(sender, target)

    def reachable(self, sender: ComponentId) -> Iterable[ComponentId]:
        """Pass on."""
        return self.inner.reachable(sender)

    def _note(self, payload: bytes, targets: Sequence[ComponentId], sender: ComponentId) -> int:
        if payload.startswith(b"fault"):
            raise Fault("on purpose")
        number = int(payload.rpartition(b"#")[2])
        for target in targets:
            self.ledger.sent(number, target, sender)
        return number


@final
@attrs.define(eq=False)
class WatchedGuest:
    """A guest whose every message is noted when it gets it and when it has answered."""

    inner: Guest
    state: HostState
    ledger: Ledger

    @property
    def guest_time(self) -> float:
        """As the guest's."""
        return self.inner.guest_time

    @property
    def fuel(self) -> int:
        """As the guest's."""
        return self.inner.fuel

    async def initialize(self, config: ComponentConfig) -> ComponentMetadata:
        """As the guest's."""
        return await self.inner.initialize(config)

    async def handle_message(self, message: ComponentMessage) -> bytes | None:
        """Note, have it handled, note."""
        number, me, ledger = number_of(message), self.state.component_id, self.ledger
        if number is None:
            ledger.violate(f"{me} got a callback as a message: {message}")
            return await self.inner.handle_message(message)
        ledger.delivered(number, me)
        return await self._noted(number, partial(self.inner.handle_message, message))

    def attempt(
        self, message: ComponentMessage, invocation: Invocation | None = None
    ) -> Answered | Callable[[], Awaitable[Any]] | None:
        """As `handle_message` and `call`, as far as the guest gets on the spot."""
        if invocation is not None:
            return self._attempt_call(message, invocation)
        number, me, ledger = number_of(message), self.state.component_id, self.ledger
        if number is None:
            return None
        try:
            made = self.inner.attempt(message)
        except Exception as exc:
            ledger.delivered(number, me)
            if isinstance(exc, GuestError):
                ledger.ended(number, me, "err")
            raise
        if made is not None:
            ledger.delivered(number, me)
        if isinstance(made, Answered):
            ledger.ended(number, me, "ok")
        return made if made is None or isinstance(made, Answered) else partial(self._noted, number, made)

    def _attempt_call(
        self, message: ComponentMessage, invocation: Invocation
    ) -> Answered | Callable[[], Awaitable[Any]] | None:
        calls = self.ledger.calls
        try:
            made = self.inner.attempt(message, invocation)
        except Exception as exc:
            number = calls.delivered(invocation)
            if isinstance(exc, CallRefused):
                calls.answered(number, "refused")
            raise
        if made is None:
            return None
        number = calls.delivered(invocation)
        if not isinstance(made, Answered):
            return partial(self._noted_call, number, made)
        calls.answered(number, "err" if isinstance(made.value, Err) else "ok")
        return made

    async def _noted(self, number: int, rest: Callable[[], Awaitable[Any]]) -> bytes | None:
        """Note how a message has ended."""
        try:
            answer: bytes | None = await rest()
        except GuestError:
            self.ledger.ended(number, self.state.component_id, "err")
            raise
        self.ledger.ended(number, self.state.component_id, "ok")
        return answer

    async def call(self, invocation: Invocation) -> Any:
        """Note, have it called, note."""
        return await self._noted_call(self.ledger.calls.delivered(invocation), partial(self.inner.call, invocation))

    async def _noted_call(self, number: int | None, rest: Callable[[], Awaitable[Any]]) -> Any:
        """Note how a call has ended."""
        calls = self.ledger.calls
        try:
            answer = await rest()
        except CallRefused:
            calls.answered(number, "refused")
            raise
        calls.answered(number, "err" if isinstance(answer, Err) else "ok")
        return answer

    async def handle_callback(self, message: ComponentMessage) -> None:
        """Each comes once, and to the instance that asked."""
        if self.ledger.called_back(message.metadata.correlation_id or "") is not self.state:
            self.ledger.violate(f"{self.state.component_id} got a callback that it is not owed: {message}")
        self.ledger.callbacks["delivered"] += 1
        try:
            await self.inner.handle_callback(message)
        except GuestError:
            self.ledger.callbacks["err"] += 1
            raise
        self.ledger.callbacks["ok"] += 1

    async def health(self) -> HealthStatus:
        """As the guest's."""
        return await self.inner.health()

    async def shutdown(self) -> None:
        """As the guest's; an err counts as one of the component's."""
        try:
            await self.inner.shutdown()
        except GuestError:
            self.ledger.callbacks["shutdown-err"] += 1
            raise

    def interrupt(self) -> None:
        """As the guest's."""
        self.inner.interrupt()

    async def aclose(self) -> None:
        """As the guest's."""
        await self.inner.aclose()


@final
@attrs.define(eq=False)
class WatchedHost:
    """Makes guests that are watched; storage fails for them now and then."""

    inner: GuestHost
    ledger: Ledger
    storage_operations: int = 0

    @property
    def abandoned_threads(self) -> int:
        """As the engine's."""
        return self.inner.abandoned_threads

    @property
    def compiling(self) -> Sequence[Compilation]:
        """As the engine's."""
        return self.inner.compiling

    async def compile(self, source: Any, limits: Limits, sha256: str | None = None) -> Any:
        """As the engine's."""
        return await self.inner.compile(source, limits, sha256)

    async def bind(self, compiled: Any, given: Given) -> Any:
        """As the engine's."""
        return await self.inner.bind(compiled, given)

    async def inspect(self, source: Any, limits: Limits) -> ComponentReport:
        """As the engine's."""
        return await self.inner.inspect(source, limits)

    async def start(self, compiled: Any, state: HostState) -> Guest:
        """A watched instance."""
        if state.outbox is not None:
            state.outbox = WatchedOutbox(state.outbox, self.ledger)
        if state.authorise_storage is not None:
            state.authorise_storage = self._failing(state.authorise_storage)
        return WatchedGuest(await self.inner.start(compiled, state), state, self.ledger)

    async def aclose(self) -> None:
        """As the engine's."""
        await self.inner.aclose()

    def _failing(self, authorise: AuthoriseStorage) -> AuthoriseStorage:
        def decide(component: ComponentId, action: Literal["read", "write"]) -> None:
            self.storage_operations += 1
            if self.storage_operations % STORAGE_BREAKS_EVERY == 0:
                raise Fault("on purpose")
            if self.storage_operations % STORAGE_FAILS_EVERY == 0:
                raise StorageUnavailable("here", "on purpose")
            authorise(component, action)

        return decide
