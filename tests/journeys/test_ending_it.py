"""Whatever a guest is at, it can be ended: by its asker, by an unload, by leaving the system; soon, and for good."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from typing import Final

import pytest

from airssys_wasm import ActorStopped, ActorSystem, RequestTimeout
from tests.contract.stage import Actor, binary, component, until

BOUND: Final = 2.5
"""Generous: each of the ends below is given a fraction of a second."""

BUSY: Final = {
    "in an endless loop": ("hostile", "loop"),
    "in a host function": ("hostile", "sleep 10000000"),
    "in WASI": ("wasi", "sleep 4000"),
}
WAYS: Final = [
    pytest.param(
        *of,
        id=name,
        marks=[
            pytest.mark.leaves_behind(
                "threads", "files", reason="a thread that is blocked in WASI can be left, not stopped"
            )
        ]
        * (of[0] == "wasi"),
    )
    for name, of in BUSY.items()
]


@contextlib.asynccontextmanager
async def within_bound() -> AsyncIterator[None]:
    """What happens inside takes no longer than it may."""
    started = time.monotonic()
    yield
    assert time.monotonic() - started < BOUND


async def busy(system: ActorSystem, guest: str) -> Actor:
    """A guest that has no time limit to speak of, and little to say goodbye."""
    return Actor(await system.load(component("busy"), binary(guest), shutdown=0.2))


async def begin(actor: Actor, command: str) -> "asyncio.Task[bytes | None]":
    """Ask it, and wait until it has begun."""
    asking = asyncio.create_task(actor.handle.ask(command.encode(), timeout=None))
    await asyncio.sleep(0)
    await until(lambda: not actor.handle.statistics().mailbox.waiting)
    return asking


@pytest.mark.parametrize(("guest", "command"), WAYS)
async def test_an_ask_that_interrupts(guest: str, command: str) -> None:
    """The next instance answers, and it counts as no crash."""
    async with within_bound(), ActorSystem() as system:
        actor = await busy(system, guest)
        with pytest.raises(RequestTimeout) as caught:
            await actor.handle.ask(command.encode(), timeout=0.1, interrupt=True)
        assert "interrupted" == caught.value.outcome
        assert await actor.handle.ask(b"count") in {b"1", b"count"}
        assert 0 == actor.handle.statistics().crashes


@pytest.mark.parametrize(("guest", "command"), WAYS)
async def test_an_unload(guest: str, command: str) -> None:
    """The ask ends as stopped, when the grace period is over."""
    async with within_bound(), ActorSystem() as system:
        actor = await busy(system, guest)
        asking = await begin(actor, command)
        await system.unload(actor.handle)
        with pytest.raises(ActorStopped):
            await asking
        assert None is system.get(component("busy"))


@pytest.mark.parametrize(("guest", "command"), WAYS)
@pytest.mark.parametrize("by_exception", [False, True])
async def test_leaving_the_system(guest: str, command: str, by_exception: bool) -> None:
    """With a grace period, or at once by an exception."""
    asking = None
    async with within_bound():
        with contextlib.suppress(LookupError):
            async with ActorSystem() as system:
                asking = await begin(await busy(system, guest), command)
                if by_exception:
                    raise LookupError
        with pytest.raises(ActorStopped):
            await asking  # type: ignore[misc]
