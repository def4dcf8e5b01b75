"""Guests that follow a script, without WebAssembly: they answer, err, trap, hang, sleep and count as they are told.

host = ScriptedHost()
async with ActorSystem(host=host) as system:
    guest = await system.load(ComponentId("demo", "guest", "0"), OBEDIENT)
    assert await guest.ask(b"count") == b"1"
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Final, final

import attrs

from airssys_wasm.core.calls import FunctionNotFound, Given, Invocation
from airssys_wasm.core.config import ComponentConfig
from airssys_wasm.core.errors import (
    DeadlineExceeded,
    GuestError,
    Interrupted,
    InvalidComponent,
    PayloadTooLarge,
    Trap,
)
from airssys_wasm.core.ids import ComponentId
from airssys_wasm.core.limits import Limits
from airssys_wasm.core.messages import ComponentMessage
from airssys_wasm.core.observations import Compilation, ComponentReport
from airssys_wasm.core.ports import Answered, Clock, ComponentMetadata, HealthStatus, HostState
from airssys_wasm.testing.first_step import FirstStep
from airssys_wasm.testing.obedience import obey

OBEDIENT: Final = b"obedient"
"""The source of a guest that does what its messages say; `obedience.py` has the words."""


@final
class ScriptedGuest:
    """One instance of a script; implements the `Guest` port, deadlines and interruption included."""

    def __init__(self, host: "ScriptedHost", script: "Script", state: HostState) -> None:
        self.host, self.script, self.state = host, script, state
        self.count = 0
        self.guest_time = 0.0
        self.fuel = 0
        self.spent = self.closed = False
        self._begun = 0.0
        self._begun_only: FirstStep | None = None
        """A message that nobody has gone on with since its first step."""
        self._pause: asyncio.Future[bytes | None] | None = None

    async def initialize(self, config: ComponentConfig) -> ComponentMetadata:
        """As the script says."""
        await self._call("initialize", self.script.on_initialize, config)
        return self.script.metadata

    async def handle_message(self, message: ComponentMessage) -> bytes | None:
        """As the script says; an answer over the limit is refused."""
        answer = await self._call("", self.script.on_message, message)
        if answer is not None and len(answer) > self.state.limits.max_payload_bytes:
            most = self.state.limits.max_payload_bytes
            raise PayloadTooLarge(self.state.component_id, len(answer), most, message, what="answer")
        return answer

    async def handle_callback(self, message: ComponentMessage) -> None:
        """As the script says."""
        await self._call("", self.script.on_callback, message)

    def attempt(
        self, message: ComponentMessage, invocation: Invocation | None = None
    ) -> Answered | Callable[[], Awaitable[object]] | None:
        """Follow the script up to where it first waits, if its host begins messages on the spot."""
        if not self.host.on_the_spot() or invocation is not None:
            return None
        step = FirstStep(self.handle_message(message))
        if step.ended:
            return Answered(step.value)
        self._begun_only = step
        return partial(self._go_on, step)

    async def call(self, invocation: Invocation) -> object:
        """A script has no functions of its own; raises FunctionNotFound."""
        raise FunctionNotFound(f"{invocation.interface}#{invocation.function}")

    async def health(self) -> HealthStatus:
        """As the script says."""
        status = await self._call("health", self.script.on_health)
        return HealthStatus((status or b"").decode())

    async def shutdown(self) -> None:
        """As the script says."""
        await self._call("shutdown", self.script.on_shutdown)

    def interrupt(self) -> None:
        """Stop the call in progress where it waits."""
        self._stop(Interrupted())

    async def aclose(self) -> None:
        """Give up; a second time nothing."""
        if not self.closed:
            self.closed = True
            self.host.note("close", self)
            if self._begun_only is not None:
                self._begun_only.close()
            self._stop(Interrupted("closed"))
            await self.script.on_close(self)

    async def pause(self, seconds: float | None = None) -> bytes | None:
        """Wait as a guest does in a host function: for that many seconds, or until `resume` or the end of the call."""
        pause: asyncio.Future[bytes | None] = asyncio.get_running_loop().create_future()
        self._pause = pause
        limit = self.state.limits.max_execution_time
        timers = [self.host.clock.call_at(self._begun + limit, lambda: self._stop(DeadlineExceeded(limit)))]
        if seconds is not None:
            timers.append(self.host.clock.call_at(self.host.clock.time() + seconds, self.resume))
        self.host.note_pause()
        try:
            return await pause
        finally:
            self._pause = None
            for timer in timers:
                timer.cancel()

    def resume(self, answer: bytes | None = None) -> None:
        """End a pause."""
        if self._pause is not None and not self._pause.done():
            self._pause.set_result(answer)

    async def _go_on(self, step: FirstStep) -> object:
        self._begun_only = None
        return await step

    def _stop(self, error: Exception) -> None:
        if self._pause is not None and not self._pause.done():
            self._pause.set_exception(error)

    async def _call(
        self, name: str, behaviour: Callable[..., Awaitable[bytes | None]], *arguments: object
    ) -> bytes | None:
        if self.spent or self.closed:
            raise Trap("cannot enter component instance", "spent")
        if name:
            self.host.note(name, self)
        self._begun = self.host.clock.time()
        try:
            return await behaviour(self, *arguments)
        except GuestError:
            raise
        except BaseException:
            self.spent = True
            raise


async def nothing(_guest: ScriptedGuest, _what: object = None) -> bytes | None:
    """Answer ok."""
    return None


async def healthy(_guest: ScriptedGuest) -> bytes | None:
    """Be well."""
    return b"healthy"


@final
@attrs.frozen(kw_only=True)
class Script:
    """What a guest does when it is called; each a coroutine function that gets the guest first."""

    on_message: Callable[[ScriptedGuest, ComponentMessage], Awaitable[bytes | None]] = obey
    on_callback: Callable[[ScriptedGuest, ComponentMessage], Awaitable[bytes | None]] = obey
    on_compile: Callable[["ScriptedHost"], Awaitable[object]] = attrs.field(default=lambda _: _answered())
    on_start: Callable[[ScriptedGuest], Awaitable[bytes | None]] = nothing
    on_initialize: Callable[[ScriptedGuest, ComponentConfig], Awaitable[bytes | None]] = nothing
    on_health: Callable[[ScriptedGuest], Awaitable[bytes | None]] = healthy
    on_shutdown: Callable[[ScriptedGuest], Awaitable[bytes | None]] = nothing
    on_close: Callable[[ScriptedGuest], Awaitable[bytes | None]] = nothing
    digest: str = "scripted"
    metadata: ComponentMetadata = attrs.field(factory=lambda: ComponentMetadata("scripted", "1.0.0"))


@final
class ScriptedHost:
    """Makes scripted guests; implements the `GuestHost` port.

    Args:
        scripts: what the bytes of a component stand for, besides `OBEDIENT`.
        clock: for deadlines and sleeps; the running event loop by default.
        on_the_spot: asked of each ask that finds its actor waiting: whether the asker's task makes its first step, as
            it mostly does with components. Never by default, so that every message takes the same turns.
    """

    def __init__(
        self,
        scripts: Mapping[bytes, Script] | None = None,
        clock: Clock | None = None,
        *,
        on_the_spot: Callable[[], bool] = lambda: False,
    ) -> None:
        self.scripts = {OBEDIENT: Script(), **(scripts or {})}
        self.guests: list[ScriptedGuest] = []
        self.log: list[tuple[str, ComponentId]] = []
        self.pauses = 0
        self._paused = asyncio.Event()
        self.abandoned_threads = 0
        self.compiling: tuple[Compilation, ...] = ()
        self._clock = clock
        self.on_the_spot = on_the_spot

    @property
    def clock(self) -> Clock:
        """What its guests go by."""
        return self._clock or asyncio.get_running_loop()

    @property
    def live(self) -> list[ScriptedGuest]:
        """The guests that have not been closed."""
        return [guest for guest in self.guests if not guest.closed]

    def note(self, what: str, guest: ScriptedGuest) -> None:
        """Remember a call: start, initialize, shutdown, close."""
        self.log.append((what, guest.state.component_id))

    def calls(self, what: str) -> list[ComponentId]:
        """Whose calls of one kind there were, in order."""
        return [component for name, component in self.log if name == what]

    def note_pause(self) -> None:
        """A guest has begun to wait."""
        self.pauses += 1
        self._paused.set()

    async def until_paused(self, times: int = 1) -> None:
        """Wait until that many pauses have begun, of all guests since the beginning; one task at a time."""
        while self.pauses < times:
            self._paused.clear()
            await self._paused.wait()

    async def compile(self, source: object, limits: Limits, sha256: str | None = None) -> Script:
        """Find the script that the bytes stand for."""
        if isinstance(source, Script):
            return source
        script = self.scripts.get(source) if isinstance(source, bytes) else None
        if script is None:
            raise InvalidComponent("component bytes", f"stand for no script: {source!r}")
        await script.on_compile(self)
        return script

    async def bind(self, compiled: object, given: Given) -> object:
        """A script imports nothing."""
        return compiled

    async def inspect(self, source: object, limits: Limits) -> ComponentReport:
        """Say that the script fits."""
        await self.compile(source, limits)
        return ComponentReport(size_bytes=0, fits=True)

    async def start(self, compiled: Script, state: HostState) -> ScriptedGuest:
        """Make an instance."""
        guest = ScriptedGuest(self, compiled, state)
        self.guests.append(guest)
        self.note("start", guest)
        try:
            await compiled.on_start(guest)
        except BaseException:
            await guest.aclose()
            raise
        return guest

    async def aclose(self) -> None:
        """Nothing to give up."""


async def _answered() -> None:
    """Nothing to do."""
