"""Host code as an actor: an async handler behind the same mailbox, supervision and statistics as a component.

| the handler | the message ends as |
|---|---|
| returns bytes, or None | that answer |
| raises `GuestError` | err of that case |
| raises or returns anything else, or too many bytes | err runtime-error; its traceback is in the log |
| runs longer than `Limits.max_execution_time` | err timeout; the handler is cancelled |

A handler that does not end within a second of being cancelled is left behind, and named in the log.
"""

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, final

import attrs

from airssys_wasm.core.calls import FunctionNotFound, Given, Invocation
from airssys_wasm.core.config import ComponentConfig
from airssys_wasm.core.errors import PayloadTooLarge
from airssys_wasm.core.limits import Limits
from airssys_wasm.core.messages import ComponentMessage, as_bytes
from airssys_wasm.core.observations import Compilation, ComponentReport
from airssys_wasm.core.ports import ComponentMetadata, Guest, GuestHost, HealthStatus, HostState
from airssys_wasm.system.handling import HandlerCall

Handler = Callable[[ComponentMessage], Awaitable[bytes | None]]
"""Host code that handles a message; what it returns is the answer, None for none."""

CallbackHandler = Callable[[ComponentMessage], Awaitable[None]]
"""Host code that takes the answer to a request; its correlation id and content-type are in the metadata."""


@final
@attrs.frozen
class Served:
    """What stands in place of a compiled component where host code is served."""

    handler: Handler
    on_callback: CallbackHandler | None = None
    digest: str = "host"


@final
@attrs.define(eq=False)
class ServedGuest:
    """Host code behind the `Guest` port."""

    served: Served
    state: HostState
    guest_time: float = attrs.field(default=0.0, init=False)
    fuel: int = attrs.field(default=0, init=False)
    _under_way: HandlerCall | None = attrs.field(default=None, init=False)

    async def initialize(self, config: ComponentConfig) -> ComponentMetadata:
        """Nothing to start."""
        return ComponentMetadata(self.state.component_id.name, description="host code", stateful=True)

    async def handle_message(self, message: ComponentMessage) -> bytes | None:
        """Have the handler answer; raises GuestError, Interrupted."""
        answer: bytes | None = await self._call(self._answer, message)
        return answer

    async def handle_callback(self, message: ComponentMessage) -> None:
        """Have the callback handler take an answer; without one it is dropped."""
        if self.served.on_callback is not None:
            await self._call(self.served.on_callback, message)

    def attempt(self, message: ComponentMessage, invocation: Invocation | None = None) -> None:
        """Host code runs in the actor's own task."""

    async def call(self, invocation: Invocation) -> Any:
        """Host code has no functions of its own; raises FunctionNotFound."""
        raise FunctionNotFound(f"{invocation.interface}#{invocation.function}")

    async def health(self) -> HealthStatus:
        """Host code that is loaded is well."""
        return HealthStatus.HEALTHY

    async def shutdown(self) -> None:
        """Nothing to end."""

    def interrupt(self) -> None:
        """Cancel the handler."""
        if self._under_way is not None:
            self._under_way.interrupt()

    async def aclose(self) -> None:
        """Nothing to give up."""

    async def _answer(self, message: ComponentMessage) -> bytes | None:
        answer, most = await self.served.handler(message), self.state.limits.max_payload_bytes
        data = None if answer is None else as_bytes(answer)
        if data is not None and len(data) > most:
            raise PayloadTooLarge(self.state.component_id, len(data), most, message, what="answer")
        return data

    async def _call(self, handler: Callable[[ComponentMessage], Awaitable[Any]], message: ComponentMessage) -> Any:
        started = time.perf_counter()
        self._under_way = call = HandlerCall(self.state.component_id)
        try:
            return await call.run(handler, message, self.state.limits.max_execution_time)
        finally:
            self.guest_time += time.perf_counter() - started
            self._under_way = None


@final
@attrs.frozen(eq=False)
class ServingHost:
    """Makes guests of components and of host code; everything but host code is the inner host's business."""

    inner: GuestHost

    @property
    def abandoned_threads(self) -> int:
        """As the inner host's."""
        return self.inner.abandoned_threads

    @property
    def compiling(self) -> Sequence[Compilation]:
        """As the inner host's."""
        return self.inner.compiling

    async def compile(self, source: Any, limits: Limits, sha256: str | None = None) -> Any:
        """Host code needs no compiling."""
        return source if isinstance(source, Served) else await self.inner.compile(source, limits, sha256)

    async def bind(self, compiled: Any, given: Given) -> Any:
        """As the inner host's."""
        return compiled if isinstance(compiled, Served) else await self.inner.bind(compiled, given)

    async def inspect(self, source: Any, limits: Limits) -> ComponentReport:
        """As the inner host's."""
        return await self.inner.inspect(source, limits)

    async def start(self, compiled: Any, state: HostState) -> Guest:
        """An instance of a component, or host code."""
        return ServedGuest(compiled, state) if isinstance(compiled, Served) else await self.inner.start(compiled, state)

    async def aclose(self) -> None:
        """As the inner host's."""
        await self.inner.aclose()
