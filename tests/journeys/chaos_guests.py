"""Guests of a chaos: what the instances of each version do, stage by stage, and what they do with a message."""

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final, Protocol

import attrs

from airssys_wasm import (
    ComponentConfig,
    ComponentId,
    ComponentMessage,
    DeliveryError,
    GuestError,
    InvalidComponent,
    StorageUnavailable,
    Trap,
)
from airssys_wasm.core.messages import CONTENT_TYPE_LOAD_STATE, CONTENT_TYPE_SAVE_STATE
from airssys_wasm.core.ports import Clock, ComponentMetadata
from airssys_wasm.testing.guests import Script, ScriptedGuest, ScriptedHost
from tests.journeys.chaos_account import Account

HANDS_OVER: Final = ("save-state", "load-state")
LARGE: Final = 80
"""Bytes, more than any answer may have."""


class World(Protocol):
    """What guests need of what is around them."""

    account: Account

    def inner(self, guest: ScriptedGuest, target: ComponentId) -> bytes:
        """A message that a guest is about to send."""
        ...

    def delivered(self, guest: ScriptedGuest, number: int) -> None:
        """A guest gets a message."""
        ...


@attrs.frozen(kw_only=True)
class Conduct:
    """What the instances of one version do: well, slow, stuck, err, trap, bug; `again` is of all but the first one."""

    number: int
    compiles: str = "well"
    starts: str = "well"
    initializes: str = "well"
    again: str = "well"
    health: str = "healthy"
    saves: str = "well"
    loads: str = "well"
    shuts: str = "well"
    closes: str = "well"
    hands_over: bool = True
    brittle: int | None = None
    """The how many-th message of an instance is one too many."""


def conduct(dice: random.Random, number: int, trouble: float) -> Conduct:
    """Draw one; `trouble` is how often a stage goes wrong."""

    def word(*bad: str, good: str = "well") -> str:
        return dice.choice(bad) if dice.random() < trouble else good

    return Conduct(
        number=number,
        compiles=word("slow", "slow", "err"),
        starts=word("slow", "trap"),
        initializes=word("slow", "stuck", "err", "trap", "bug"),
        again=word("slow", "stuck", "err", "trap"),
        health=word("unhealthy", "unknown", "slow", "stuck", "trap", good="healthy"),
        saves=word("slow", "stuck", "err", "trap", "none", "large"),
        loads=word("slow", "stuck", "err", "trap"),
        shuts=word("slow", "stuck", "err", "trap"),
        closes=word("slow", "stuck", "bug"),
        hands_over=dice.random() < 0.7,
        brittle=dice.randrange(1, 5) if dice.random() < trouble else None,
    )


async def rest(clock: Clock, seconds: float) -> None:
    """Let time pass."""
    over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    timer = clock.call_at(clock.time() + seconds, lambda: _settle(over))
    try:
        await over
    finally:
        timer.cancel()


def _settle(over: "asyncio.Future[None]") -> None:
    if not over.done():
        over.set_result(None)


async def _be(guest: ScriptedGuest, word: str) -> bytes | None:
    """Do what one word says."""
    match word:
        case "slow":
            await guest.pause(0.7)
        case "stuck":
            await guest.pause()
        case "err":
            raise GuestError("runtime-error", word)
        case "trap":
            raise Trap("on purpose", "unreachable")
        case "bug":
            raise LookupError(word)
        case "large":
            return bytes(LARGE)
    return None


@attrs.define(eq=False)
class Version:
    """One version: its conduct as a script."""

    conduct: Conduct
    world: World
    instances: int = 0

    def script(self) -> Script:
        """For the host."""
        operations = HANDS_OVER if self.conduct.hands_over else ()
        return Script(
            on_message=self._message,
            on_callback=self._callback,
            on_compile=self._compile,
            on_start=self._start,
            on_initialize=self._initialize,
            on_health=self._health,
            on_shutdown=self._shutdown,
            on_close=self._close,
            digest=f"digest {self.conduct.number}",
            metadata=ComponentMetadata("chaos", str(self.conduct.number), supported_operations=operations),
        )

    async def _compile(self, host: ScriptedHost) -> None:
        if self.conduct.compiles == "slow":
            await rest(host.clock, 0.3)
        if self.conduct.compiles == "err":
            raise InvalidComponent("component bytes", "are none, on purpose")

    async def _start(self, guest: ScriptedGuest) -> bytes | None:
        if self.conduct.starts == "slow":
            await rest(guest.host.clock, 0.2)
        return await _be(guest, "trap" if self.conduct.starts == "trap" else "well")

    async def _initialize(self, guest: ScriptedGuest, _config: ComponentConfig) -> bytes | None:
        self.instances += 1
        return await _be(guest, self.conduct.initializes if self.instances == 1 else self.conduct.again)

    async def _health(self, guest: ScriptedGuest) -> bytes:
        await _be(guest, self.conduct.health)
        return self.conduct.health.encode() if self.conduct.health in {"unhealthy", "unknown"} else b"healthy"

    async def _shutdown(self, guest: ScriptedGuest) -> bytes | None:
        if self.conduct.shuts == "err":
            self.world.account.shutdown_errors += 1
        return await _be(guest, self.conduct.shuts)

    async def _close(self, guest: ScriptedGuest) -> bytes | None:
        if self.conduct.closes in {"slow", "stuck"}:
            await rest(guest.host.clock, 0.5 if self.conduct.closes == "slow" else 9.0)
        return await _be(guest, "bug" if self.conduct.closes == "bug" else "well")

    async def _callback(self, _guest: ScriptedGuest, message: ComponentMessage) -> bytes | None:
        self.world.account.callbacks[message.metadata.correlation_id or ""] += 1
        return None

    async def _message(self, guest: ScriptedGuest, message: ComponentMessage) -> bytes | None:
        """Do what it says; handled is what ends with an answer or an err."""
        match message.metadata.content_type:
            case str(kind) if kind == CONTENT_TYPE_SAVE_STATE:
                return await _be(guest, self.conduct.saves) or (None if self.conduct.saves == "none" else b"state")
            case str(kind) if kind == CONTENT_TYPE_LOAD_STATE:
                return await _be(guest, self.conduct.loads)
        verb, argument, number = read(message)
        self.world.delivered(guest, number)
        guest.count += 1
        if guest.count == self.conduct.brittle:
            raise Trap("brittle", "unreachable")
        handled, key = self.world.account.handled, (number, guest.state.component_id)
        try:
            answer = await _obey(self.world, guest, verb, argument)
        except GuestError:
            handled[key] += 1
            raise
        handled[key] += answer is None or len(answer) < LARGE
        return answer


def read(message: ComponentMessage) -> tuple[str, str, int]:
    """The verb, its argument and the number of a message."""
    _, verb, argument, number = message.payload.data.decode().split(" ")
    return verb, argument, int(number.removeprefix("#"))


async def _obey(world: World, guest: ScriptedGuest, verb: str, argument: str) -> bytes | None:
    if verb in _OUTWARD:
        with contextlib.suppress(DeliveryError):
            await _OUTWARD[verb](world, guest, ComponentId.parse(argument))
        return None
    await _be(guest, verb)
    return bytes(LARGE) if verb == "large" else None if verb == "none" else b"ok"


async def _send(world: World, guest: ScriptedGuest, target: ComponentId) -> None:
    outbox, state = guest.state.outbox, guest.state
    assert outbox is not None
    await outbox.send(state.component_id, target, world.inner(guest, target), wait=state.limits.send_wait)


async def _request(world: World, guest: ScriptedGuest, target: ComponentId, *, cancels: bool = False) -> None:
    outbox, state = guest.state.outbox, guest.state
    assert outbox is not None
    number = world.account.numbers
    request = await outbox.request(state, target, world.inner(guest, target), timeout=(0.0, 1.0, 60.0)[number % 3])
    world.account.owed.add(request)
    if cancels:
        world.account.owed.discard(request)
        outbox.cancel_request(state, request)


async def _broadcast(world: World, guest: ScriptedGuest, target: ComponentId) -> None:
    outbox, me = guest.state.outbox, guest.state.component_id
    assert outbox is not None
    payload, perhaps = world.inner(guest, target), world.account.perhaps
    number = world.account.numbers
    targets = [*dict.fromkeys((target, me, ComponentId("demo", "nobody", "0")))]
    world.account.sent.update((number, further) for further in targets[1:])
    try:
        await outbox.broadcast(me, targets, payload, wait=guest.state.limits.send_wait)
    except BaseException:
        perhaps.update((number, each) for each in targets)
        raise


_OUTWARD: Final[dict[str, Callable[[World, ScriptedGuest, ComponentId], Awaitable[None]]]] = {
    "send": _send,
    "request": _request,
    "cancel": partial(_request, cancels=True),
    "broadcast": _broadcast,
}


class SlowStorage:
    """A storage in which it takes its time until a binary owns what is kept, and which fails now and then."""

    def __init__(self, clock: Clock, seed: int) -> None:
        self._clock, self._dice = clock, random.Random(seed)

    async def claim(self, _component: ComponentId, _code: str, *, inherit: bool = False) -> None:
        """As of `Storage`; nobody keeps anything here. It is upgrades that inherit."""
        match self._dice.randrange(12 if inherit else 30):
            case 0 | 1 | 2 | 3:
                await rest(self._clock, self._dice.choice([0.2, 5.0, 20.0]))
            case 4:
                raise StorageUnavailable("here", "on purpose")

    async def aclose(self) -> None:
        """As of `Storage`."""
