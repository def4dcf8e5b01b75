"""Components that sleep, and what the tests of that have their guests do."""

from collections.abc import Awaitable, Callable
from typing import Any

from airssys_wasm.actor.child import Child
from airssys_wasm.core.config import ComponentConfig
from airssys_wasm.core.errors import Trap
from airssys_wasm.core.messages import ComponentMessage
from airssys_wasm.testing.guests import Script, ScriptedGuest
from tests.actor.bench import Bench

AFTER = 10.0


class Sleepy:
    """What its guests do when they start and shut down; `heard` is what they were told, in order."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []
        self.on_shutdown: Callable[[ScriptedGuest], Awaitable[object]] = self.fine
        self.on_initialize: Callable[[ScriptedGuest], Awaitable[object]] = self.fine

    async def fine(self, _guest: ScriptedGuest) -> None:
        """Nothing happens."""

    async def _shutdown(self, guest: ScriptedGuest) -> bytes | None:
        await self.on_shutdown(guest)
        return None

    async def _initialize(self, guest: ScriptedGuest, _config: ComponentConfig) -> bytes | None:
        await self.on_initialize(guest)
        return None

    async def _hear(self, _guest: ScriptedGuest, message: ComponentMessage) -> bytes:
        self.heard.append(message.payload.data)
        return message.payload.data

    @property
    def script(self) -> Script:
        """For a guest."""
        return Script(on_message=self._hear, on_shutdown=self._shutdown, on_initialize=self._initialize)


async def pause(guest: ScriptedGuest) -> None:
    """Wait for the test."""
    await guest.pause()


async def trap(_guest: ScriptedGuest) -> None:
    """Trap."""
    raise Trap("no", "unreachable")


async def asleep(bench: Bench, sleepy: Sleepy | None = None, **spec: Any) -> Child:
    """A component that sleeps."""
    child = await bench.start(script=(sleepy or Sleepy()).script, passivate_after=AFTER, **spec)
    await bench.clock.advance(AFTER)
    assert "asleep" == child.state
    return child


async def falling_asleep(bench: Bench, sleepy: Sleepy, **spec: Any) -> Child:
    """A component in its `shutdown`."""
    sleepy.on_shutdown = pause
    child = await bench.start(script=sleepy.script, passivate_after=AFTER, **spec)
    await bench.clock.advance(AFTER)
    assert ["shutdown"] == [what for what, _ in bench.host.log[2:]]
    sleepy.on_shutdown = sleepy.fine
    return child


def calls(bench: Bench) -> list[str]:
    """What was done with guests."""
    return [what for what, _ in bench.host.log]
