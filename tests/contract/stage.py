"""A system with real guests on it: short ways to load them, to tell them what to do, and to wait for what follows."""

import asyncio
import functools
import inspect
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final, final

import attrs

from airssys_wasm import ActorHandle, ActorSystem, Capabilities, ComponentId, Limits
from airssys_wasm.messaging.requests import Requests
from airssys_wasm.security.sinks import MemorySink

GUESTS: Final = Path(__file__).parent.parent / "guests"
EVERYTHING: Final = Capabilities(send=["*"], storage=["read", "write"])
NOTHING: Final = Capabilities()
PATIENCE: Final = 20.0
"""Seconds until a condition that has to come is given up."""


@functools.cache
def binary(guest: str) -> bytes:
    """The component of a guest."""
    return (GUESTS / f"{guest}.wasm").read_bytes()


def component(name: str, instance: str = "0") -> ComponentId:
    """The id of an actor of the tests."""
    return ComponentId("demo", name, instance)


def wire(name: str | ComponentId) -> str:
    """An id as guests of the tests write it."""
    of = component(name) if isinstance(name, str) else name
    return f"{of.namespace}|{of.name}|{of.instance}"


async def until(holds: Callable[[], bool | Awaitable[bool]], what: str = "") -> None:
    """Look again and again until a condition holds."""
    give_up = time.monotonic() + PATIENCE
    while True:
        held = holds()
        if await held if inspect.isawaitable(held) else held:
            return
        assert time.monotonic() < give_up, f"never came: {what or inspect.getsource(holds).strip()}"
        await asyncio.sleep(0.005)


@final
@attrs.frozen
class Callback:
    """One callback, as the guest that got it tells it."""

    content_type: str
    correlation_id: str
    sender: str
    payload: str

    @classmethod
    def read(cls, text: str) -> "Callback":
        """Read what `last-callback` answers."""
        head, _, payload = text.partition("\npayload\n")
        content_type, correlation_id, sender = (line.partition(" ")[2] for line in head.split("\n"))
        return cls(content_type, correlation_id, sender, payload)


@final
@attrs.frozen
class Actor:
    """A loaded guest; the hostile one, where it is told to do something."""

    handle: ActorHandle

    @property
    def wire(self) -> str:
        """Its id as guests write it."""
        return wire(self.handle.id)

    async def say(self, command: str) -> str:
        """Have it carry out a command; its answer as text."""
        answer = await self.handle.ask(command.encode(), timeout=PATIENCE)
        assert answer is not None, f"{command!r} answered none"
        return answer.decode()

    async def request(self, target: str | ComponentId, payload: str, timeout_ms: int = 60_000) -> str:
        """Have it make a request; the correlation id."""
        answer = await self.say(f"request {timeout_ms} {wire(target)} {payload}")
        verdict, _, correlation_id = answer.partition(" ")
        assert verdict == "ok", answer
        return correlation_id

    async def callbacks(self) -> int:
        """How many callbacks its present instance has had."""
        return int(await self.say("callbacks"))

    async def callback(self, number: int = 1) -> Callback:
        """Wait for that many callbacks, and no more than that; the last of them."""

        async def came() -> bool:
            return await self.callbacks() >= number

        await until(came, f"callback {number}")
        assert number == await self.callbacks()
        return Callback.read(await self.say("last-callback"))


@final
@attrs.frozen
class Stage:
    """A running system, and its audit trail."""

    system: ActorSystem
    audit: MemorySink

    @property
    def requests(self) -> Requests:
        """The requests under way."""
        return self.system._parts().router.requests

    async def load(
        self, name: str, guest: str = "hostile", *, capabilities: Capabilities = EVERYTHING, **settings: Any
    ) -> Actor:
        """Load a guest as `demo/<name>/0`; it is given no time to say goodbye unless the settings say so."""
        return Actor(
            await self.system.load(
                component(name), binary(guest), capabilities=capabilities, **{"shutdown": "brutal"} | settings
            )
        )

    async def unload(self, actor: Actor) -> None:
        """Stop it."""
        await self.system.unload(actor.handle)

    async def load_full(self, name: str = "full", limits: Limits | None = None) -> Actor:
        """Load a guest that is asleep for good, with no room in its mailbox."""
        limits = limits or Limits(mailbox_capacity=1)
        actor = await self.load(name, limits=limits)
        await actor.handle.tell(b"sleep 10000000")
        await until(lambda: not actor.handle.statistics().mailbox.waiting, "the guest falls asleep")
        for _ in range(limits.mailbox_capacity):
            actor.handle.tell_nowait(b"count")
        return actor

    async def load_failed(self, name: str = "failed") -> Actor:
        """Load a guest that will not start any more: its restarts are used up."""
        config = "init-trap-if broken"
        actor = await self.load(name, config=config, capabilities=EVERYTHING)
        await actor.say("storage-set broken x")
        await actor.handle.tell(b"trap")
        await actor.handle.wait_stopped()
        return actor
