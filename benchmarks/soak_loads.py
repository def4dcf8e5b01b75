"""What a soak loads: actors of all kinds of settings, and plugins with functions of their own."""

from collections import Counter
from pathlib import Path
from typing import Any, final

import attrs

from airssys_wasm import ActorHandle, ActorState, ActorSystem, Capabilities, ComponentId, HealthCheck, Limits
from airssys_wasm.core.limits import MIB
from airssys_wasm.runtime.compiled import CompiledComponent
from benchmarks.harness import GUESTS
from benchmarks.soak_calls import KV
from benchmarks.soak_ledger import Ledger
from benchmarks.soak_plan import TOPICS, Plan
from benchmarks.soak_watch import Watch

IDLE = 0.02
"""Seconds after which some components sleep, and others are asked for their health."""

EVERYTHING = Capabilities(send=("*",), storage=("read", "write"))
RESTARTS = ("transient", "permanent", "temporary", "transient")
CAPACITIES = (4, 16, 64, 1024)
EXECUTIONS = ("auto", "auto", "thread", "loop")
MAILBOXES = ("wait", "wait", "wait", "reject", "drop-oldest", "drop-newest")
"""But for latest-by-key, which gives up the order between keys."""

COUNTERS = ("handled", "guest_errors", "crashes", "restarts", "revivals", "upgrades", "rollbacks", "passivations")


@final
@attrs.define(eq=False)
class Loads:
    """Loads the component of each index, again and again, and adds up the statistics of all that there ever were."""

    system: ActorSystem
    plan: Plan
    ledger: Ledger
    watch: Watch
    counts: Counter[ComponentId] = attrs.field(factory=Counter)
    """How often each id was loaded."""
    _live: list[ActorHandle] = attrs.field(factory=list)
    _totals: Counter[str] = attrs.field(factory=Counter)
    _sources: dict[str, CompiledComponent] = attrs.field(factory=dict)

    async def compile(self) -> None:
        """Once, for all loads."""
        for name in ("hostile", "counter", "plugin"):
            self._sources[name] = await self.system.compile(Path(GUESTS / f"{name}.wasm"))

    def add(self, handle: ActorHandle) -> None:
        """One that was loaded, or is served."""
        self._live.append(handle)
        self.counts[handle.id] += 1

    def total(self, counter: str) -> int:
        """A counter of statistics, of all loads together; those that are gone are let go."""
        gone = [handle for handle in self._live if handle.state is ActorState.STOPPED]
        for statistics in (handle.statistics() for handle in gone):
            self._totals.update({name: getattr(statistics, name) for name in COUNTERS})
        self._live = [handle for handle in self._live if handle not in gone]
        return self._totals[counter] + sum(int(getattr(handle.statistics(), counter)) for handle in self._live)

    def id_of(self, index: int) -> ComponentId:
        """Its address."""
        number = index - self.plan.actors
        return ComponentId("soak", f"a{index}" if number < 0 else f"p{number}", "0")

    def source_of(self, index: int) -> CompiledComponent:
        """Its binary."""
        name = "counter" if is_counter(index) else "hostile"
        return self._sources[name if index < self.plan.actors else "plugin"]

    async def load(self, index: int) -> ActorHandle:
        """Load it, for the first time or again."""
        is_plugin, id_ = index >= self.plan.actors, self.id_of(index)
        self.watch.open(id_)
        own: dict[str, Any] = {"imports": {KV: self.ledger.calls.kv}} if is_plugin else {"capabilities": EVERYTHING}
        handle = await self.system.load(
            id_,
            self.source_of(index),
            limits=_limits(index),
            restart=RESTARTS[index % len(RESTARTS)],
            execution=EXECUTIONS[index % 5 % len(EXECUTIONS)],
            passivate_after=IDLE if index % 3 == 0 else None,
            health=HealthCheck(interval=IDLE) if index % 4 == 0 and not is_plugin else None,
            mailbox=MAILBOXES[index % 11 % len(MAILBOXES)],
            **own,
        )
        self.add(handle)
        if not is_plugin:
            await self.system.subscribe(f"soak.t{index % TOPICS}", id_)
        return handle


def is_counter(index: int) -> bool:
    """Whether an actor counts and does nothing of what it is told."""
    return index % 10 == 9


def _limits(index: int) -> Limits:
    return Limits(
        max_memory_bytes=4 * MIB,
        max_execution_time=0.5,
        max_payload_bytes=8192,
        mailbox_capacity=CAPACITIES[index % len(CAPACITIES)],
        mailbox_bytes=65_536,
        max_pending_requests=16,
        send_wait=0.1,
        storage_bytes=64,
        max_fuel=100_000_000 if index % 7 == 0 else None,
    )
