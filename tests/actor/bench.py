"""A supervisor on scripted guests and a manual clock, as the tests of this folder use it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import attrs

from airssys_wasm.actor.child import Child, ChildSpec
from airssys_wasm.actor.supervisor import Supervisor
from airssys_wasm.core.ids import ComponentId
from airssys_wasm.core.messages import ComponentMessage
from airssys_wasm.core.observations import DeadLetterReason
from airssys_wasm.testing.clock import ManualClock, settle
from airssys_wasm.testing.guests import Script, ScriptedGuest, ScriptedHost
from airssys_wasm.testing.observer import RecordingObserver

HOST = ComponentId("host", "test", "0")


def component(name: str = "a") -> ComponentId:
    """An id."""
    return ComponentId("demo", name, "0")


@attrs.define(eq=False)
class Bench:
    """What a test of the actor layer works with."""

    host: ScriptedHost
    clock: ManualClock
    observer: RecordingObserver
    supervisor: Supervisor

    async def start(self, name: str = "a", script: Script | None = None, **spec: Any) -> Child:
        """Start a child."""
        return await self.supervisor.start_child(
            ChildSpec(id=component(name), compiled=script or Script(), **spec),
        )

    async def ask(
        self, child: Child, payload: bytes, timeout: float | None = None, *, interrupt: bool = False
    ) -> bytes | None:
        """Ask a child."""
        message = ComponentMessage(HOST, payload)
        answer: bytes | None = await self.supervisor.delivery.ask(child, message, timeout, interrupt=interrupt)
        return answer

    def asking(
        self, child: Child, payload: bytes, timeout: float | None = None, *, interrupt: bool = False
    ) -> "asyncio.Task[bytes | None]":
        """Ask a child in a task."""
        return asyncio.create_task(self.ask(child, payload, timeout, interrupt=interrupt))

    async def tell(self, child: Child, payload: bytes) -> None:
        """Tell a child, waiting for room."""
        await self.supervisor.delivery.tell(child, ComponentMessage(HOST, payload), None)

    async def crash(self, child: Child, payload: bytes = b"trap") -> None:
        """Tell a child to crash and wait until all has followed that follows at once."""
        await self.tell(child, payload)
        await settle()

    def letters(self) -> list[tuple[bytes, DeadLetterReason]]:
        """The dead letters."""
        return [(letter.message.payload.data, letter.reason) for letter in self.observer.dead_letters]

    def guest(self, number: int = -1) -> ScriptedGuest:
        """One of the instances that were made, the last one by default."""
        return self.host.guests[number]


@asynccontextmanager
async def opened(stop_timeout: float = 30.0) -> AsyncIterator[Bench]:
    """A bench, and that nothing is alive on it afterwards."""
    clock, observer = ManualClock(), RecordingObserver()
    host = ScriptedHost(clock=clock)
    supervisor = Supervisor(host, observer=observer, clock=clock, stop_timeout=stop_timeout)
    async with supervisor:
        yield Bench(host, clock, observer, supervisor)
    assert [] == host.live
    assert [] == clock.pending
