"""What a benchmark sends to: so many actors of one component, and what any subject has to tell of itself."""

from collections.abc import Sequence
from typing import Final, Protocol, final

import attrs

from airssys_wasm.actor.handle import ActorHandle
from airssys_wasm.core.config import ComponentConfig
from airssys_wasm.core.ids import ComponentId
from airssys_wasm.core.limits import MIB, Limits
from airssys_wasm.runtime.compiled import CompiledComponent
from airssys_wasm.security.capabilities import Capabilities
from airssys_wasm.system.bench_load import Tally, Target
from airssys_wasm.system.bench_result import StageFigures
from airssys_wasm.system.bench_spec import BenchSpec
from airssys_wasm.system.system import ActorSystem

FUEL_MESSAGES: Final = 100
"""Messages whose fuel is counted: it hardly varies."""

_ENOUGH_FUEL: Final = 1 << 62
_OWN_STORAGE: Final = Capabilities(storage=["read", "write"])
"""A component that is benchmarked may use its own storage, which is in memory; there is nobody to send to."""


class Subject(Target, Protocol):
    """Something loaded that can be measured; `resident_before` is the size of the process before that."""

    resident_before: int

    def guest_seconds(self) -> float:
        """Inside guest code so far, all actors together."""
        ...

    def begin(self) -> None:
        """Forget what was measured before."""
        ...

    def stages(self, seconds: float) -> tuple[StageFigures, ...]:
        """The parts of it, measured since `begin`, so many seconds ago; none when it has none."""
        ...

    async def fuel(self, payloads: Sequence[bytes]) -> float | None:
        """Fuel a message; None when that cannot be told."""
        ...


@final
@attrs.define(eq=False)
class Crew:
    """So many actors of one component, asked in turn."""

    system: ActorSystem
    compiled: CompiledComponent
    spec: BenchSpec
    resident_before: int
    _handles: list[ActorHandle] = attrs.field(factory=list, init=False)
    _turn: int = attrs.field(default=0, init=False)

    async def load(self) -> None:
        """Start the actors; raises what `ActorSystem.load` does."""
        for number in range(self.spec.actors):
            self._handles.append(await self._start(ComponentId("bench", "subject", str(number)), self._limits()))

    async def send(self, payload: bytes) -> None:
        """Ask the next actor; raises AirssysError."""
        self._turn = (self._turn + 1) % len(self._handles)
        await self._handles[self._turn].ask(payload, timeout=None)

    def guest_seconds(self) -> float:
        """Inside guest code so far, all actors together."""
        return sum(handle.statistics().guest_time for handle in self._handles)

    async def fuel(self, payloads: Sequence[bytes]) -> float | None:
        """Fuel a message, counted with an actor of its own; raises what `ActorSystem.load` does."""
        limits = attrs.evolve(self._limits(), max_fuel=_ENOUGH_FUEL)
        metered = await self._start(ComponentId("bench", "metered", "0"), limits)
        burnt, tally = metered.statistics().fuel, Tally()
        for number in range(FUEL_MESSAGES):
            await tally.time(_One(metered), payloads[number % len(payloads)], 0)
        burnt = metered.statistics().fuel - burnt
        await self.system.unload(metered)
        return burnt / FUEL_MESSAGES

    def begin(self) -> None:
        """Nothing is kept."""

    def stages(self, seconds: float) -> tuple[StageFigures, ...]:
        """It has no parts."""
        return ()

    async def _start(self, id: ComponentId, limits: Limits) -> ActorHandle:  # noqa: A002 - as `load` calls it
        config = ComponentConfig.of(self.spec.config, None)
        return await self.system.load(
            id, self.compiled, capabilities=_OWN_STORAGE, limits=limits, config=config, execution=self.spec.execution
        )

    def _limits(self) -> Limits:
        largest = max(len(payload) for _, payloads in self.spec.loads() for payload in payloads)
        return Limits(max_payload_bytes=max(MIB, largest))


@final
@attrs.frozen
class _One:
    handle: ActorHandle

    async def send(self, payload: bytes) -> None:
        await self.handle.ask(payload, timeout=None)
