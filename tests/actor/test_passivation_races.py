"""Messages, restarts, crashes and the end against sleep, in every order that a few turns of the loop allow."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Coroutine
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airssys_wasm.actor.child import Child
from airssys_wasm.actor.restarts import RestartPolicy
from airssys_wasm.core.config import ComponentConfig
from airssys_wasm.core.errors import ActorStopped, AirssysError, ComponentCrashed, Trap
from airssys_wasm.core.messages import ComponentMessage
from airssys_wasm.core.observations import ActorState, EventKind
from airssys_wasm.core.upgrades import UpgradeUnderWay
from airssys_wasm.testing.clock import settle
from airssys_wasm.testing.guests import Script, ScriptedGuest
from tests.actor.bench import HOST, Bench, opened
from tests.actor.upgrading import upgrade

AFTER = 10.0
ACTIONS = ["tell", "ask", "trap", "restart", "slow", "fail next start", "sleep", "upgrade", "unload"]


@attrs.define(eq=False)
class World:
    """One component, what is done to it, and what its guests did; `shutdowns` take a turn or two of the loop."""

    bench: Bench
    said: int = 0
    heard: list[int] = attrs.field(factory=list)
    crashed: list[int] = attrs.field(factory=list)
    fail_next: bool = False
    alive: set[ScriptedGuest] = attrs.field(factory=set)
    ends: "Counter[ScriptedGuest]" = attrs.field(factory=Counter)
    tasks: "list[asyncio.Task[Any]]" = attrs.field(factory=list)
    script: Script = attrs.field(init=False)
    child: Child = attrs.field(init=False)
    state: ActorState = attrs.field(init=False)

    async def begin(self) -> None:
        """Load it."""
        self.script = Script(
            on_message=self._hear, on_initialize=self._initialize, on_shutdown=self._shutdown, on_close=self._close
        )
        policy = RestartPolicy(intensity=1000, backoff_initial=0.5, backoff_factor=1.0)
        self.child = await self.bench.start(script=self.script, passivate_after=AFTER, policy=policy)

    async def _initialize(self, guest: ScriptedGuest, _config: ComponentConfig) -> None:
        assert not self.alive or self.child.upgrade or self.child.beside, "two instances at a time"
        self.alive.add(guest)
        await asyncio.sleep(0)
        if self.fail_next:
            self.fail_next = False
            raise Trap("no", "unreachable")

    async def _hear(self, _guest: ScriptedGuest, message: ComponentMessage) -> bytes:
        word, _, number = message.payload.data.partition(b" ")
        if word == b"trap":
            self.crashed.append(int(number))
            raise Trap("yes", "unreachable")
        if word == b"slow":
            await asyncio.sleep(0)
        self.heard.append(int(number))
        return message.payload.data

    async def _shutdown(self, guest: ScriptedGuest) -> None:
        self.ends[guest] += 1
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    async def _close(self, guest: ScriptedGuest) -> None:
        self.alive.discard(guest)

    def act(self, action: str) -> None:
        """Do one thing, without waiting for what follows."""
        match action:
            case "sleep":
                self._idle()
            case "fail next start":
                self.fail_next = True
            case "restart":
                self._task(self.bench.supervisor.restart(self.child))
            case "upgrade":
                self._task(upgrade(self.bench, self.child, self.script, probation=0))
            case "unload":
                self._task(self.bench.supervisor.stop_child(self.child))
            case "ask":
                self._task(self._ask())
            case "tell" | "slow" | "trap":
                with contextlib.suppress(ActorStopped):
                    self.bench.supervisor.delivery.tell_nowait(self.child, self._next(action))

    def _next(self, word: str) -> ComponentMessage:
        self.said += 1
        return ComponentMessage(HOST, f"{word} {self.said}".encode())

    async def _ask(self) -> None:
        await self.bench.supervisor.delivery.ask(self.child, self._next("ask"), None)

    def _idle(self) -> None:
        """Have its time be over now, if it is idle: what the clock would do in the middle of anything."""
        actor = self.child.actor
        if actor is not None and actor._upkeep is not None:
            actor._upkeep._idle_since -= AFTER
            actor._upkeep._ring()

    def _task(self, work: Coroutine[Any, Any, Any]) -> None:
        self.tasks.append(asyncio.create_task(work))

    async def end(self) -> None:
        """Let everything come to rest, and check what must hold."""
        for _ in range(4):
            await self.bench.clock.advance(1.0)
        results = await asyncio.gather(*self.tasks, return_exceptions=True)
        for result in results:
            assert not isinstance(result, BaseException) or isinstance(result, AirssysError), repr(result)
        for result in results:
            assert not isinstance(result, AirssysError) or self._is_known(result), repr(result)
        lost = [int(payload.split()[1]) for payload, _ in self.bench.letters()]
        assert list(range(1, self.said + 1)) == sorted(self.heard + lost), (self.heard, lost)
        assert self.heard == sorted(self.heard)
        assert {*()} == set(self.crashed) - set(lost)
        assert max(self.ends.values(), default=0) <= 1
        closed = self.bench.host.calls("close")
        assert len(self.bench.host.guests) - len(self.alive) == len(closed)
        kinds = Counter(self.bench.observer.kinds())
        assert self.child.passivations == kinds[EventKind.PASSIVATED]
        assert kinds[EventKind.REVIVED] <= self.child.revivals <= kinds[EventKind.PASSIVATED]

    def _is_known(self, error: AirssysError) -> bool:
        """A crash of one's own, an end, or a start that failed while one asked for it."""
        return isinstance(error, ComponentCrashed | ActorStopped | UpgradeUnderWay) or "Instantiation failed" in str(
            error
        )


STEP = st.tuples(st.sampled_from(ACTIONS), st.sampled_from([0, 0, 0, 1, 1, 2, 3, 5, 20]))


async def race(steps: list[tuple[str, int]]) -> World:
    """Do one thing after the other, each so many turns of the loop after the one before."""
    async with opened() as bench:
        world = World(bench)
        await world.begin()
        await settle()
        for action, turns in steps:
            world.act(action)
            for _ in range(turns):
                await asyncio.sleep(0)
        await world.end()
        world.state = world.child.state
        return world


@given(st.lists(STEP, min_size=3, max_size=25))
def test_whatever_races_with_sleep_nothing_is_lost_and_the_order_is_kept(steps: list[tuple[str, int]]) -> None:
    """Each message is heard once or a dead letter, each instance shuts down at most once, there is one at a time."""
    asyncio.run(race(steps), debug=False)


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        ("tell", {(0, 0), (1, 1)}),
        ("trap", {(0, 0), (1, 1)}),
        ("ask", {(1, 1)}),  # its task needs a turn before it sends anything
        ("restart", {(0, 0), (1, 1)}),
        ("unload", {(0, 0), (1, 0)}),
        ("upgrade", {(1, 1)}),
    ],
)
def test_one_thing_that_comes_any_number_of_turns_after_the_order_to_sleep(
    action: str, expected: set[tuple[int, int]]
) -> None:
    """Before the order is obeyed, in `shutdown`, as it is closed, as it is laid down, afterwards.

    What is expected are the numbers of passivations and revivals.
    """
    ways = set[tuple[int, int]]()
    for turns in range(16):
        world = asyncio.run(race([("sleep", turns), (action, 0)]), debug=False)
        ways.add((world.child.passivations, world.child.revivals))
        if action in {"tell", "ask"}:
            assert ([1], ActorState.RUNNING) == (world.heard, world.state)
    assert expected == ways
