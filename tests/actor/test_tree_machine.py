"""Whole trees against a simple model: who runs, in which order they stopped and started, whether it gave up."""

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Any
from unittest import mock

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from airssys_wasm.actor.child import Child, ChildSpec
from airssys_wasm.actor.strategies import Strategy
from airssys_wasm.actor.tree_spec import SupervisorSpec
from airssys_wasm.core.config import Restart
from airssys_wasm.core.errors import AirssysError
from airssys_wasm.core.observations import ActorState
from airssys_wasm.testing import clock as manual
from airssys_wasm.testing.clock import settle
from tests.actor.bench import component, opened
from tests.actor.tree_model import Model, Part, model_of
from tests.actor.trees import Broken, Grown, grown, leaf

ENOUGH_TURNS = 100
"""Of the loop, for the longest chain of stops and starts of one tree."""

A_MOMENT = 0.0137
"""Passes with each crash, so that no two back-offs end at the same time."""

AGES = 1e6
"""Seconds that no test lets pass."""

GROUPS: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {
        "strategy": st.sampled_from(Strategy),
        "restart": st.sampled_from([*[Restart.PERMANENT] * 3, Restart.TRANSIENT, Restart.TEMPORARY]),
        "intensity": st.integers(0, 3),
        "window": st.sampled_from([0.5, 5.0]),
    }
)
SHAPES = st.recursive(
    st.sampled_from([*[Restart.PERMANENT] * 2, Restart.TRANSIENT, Restart.TEMPORARY]),
    lambda shapes: st.tuples(GROUPS, st.lists(shapes, min_size=1, max_size=3)),
    max_leaves=7,
)
TREES = st.tuples(GROUPS, st.lists(SHAPES, min_size=1, max_size=4))


async def fall_asleep(child: Child) -> None:
    """Let its time without a message be over."""
    actor = child.actor
    assert actor is not None
    assert actor._upkeep is not None
    actor._upkeep._idle_since -= AGES
    actor._upkeep._ring()
    await settle()


class TreeMachine(RuleBasedStateMachine):
    """Crashes, starts that fail, unloads, restarts on request, sleep, messages and time, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.turns = mock.patch.object(manual, "TURNS", ENOUGH_TURNS)
        self.turns.start()
        self.stack = contextlib.AsyncExitStack()
        self.broken = Broken()

    def run(self, what: Any) -> Any:
        """Run a coroutine on the loop of this machine."""
        return self.runner.run(what)

    @initialize(shape=TREES)
    def grow(self, shape: Any) -> None:
        """Start a tree of any shape."""
        names = iter("abcdefghijklmnopqrstuvwxyz")
        spec = self.spec_of(shape, names, iter(range(99)))

        async def start() -> Grown:
            return await grown(await self.stack.enter_async_context(opened()), spec)

        self.tree: Grown = self.run(start())
        self.model = Model(model_of(spec), self.tree.bench.clock.time(), self.broken.names)
        self.leaves = list(self.model.root.leaves())
        self.children = {each.name: self.tree.child(each.name) for each in self.leaves}
        self.model.start(self.model.root)

    def spec_of(self, shape: Any, names: Iterator[str], numbers: Iterator[int]) -> SupervisorSpec[ChildSpec]:
        """A specification of a drawn shape."""
        group, shapes = shape
        children: list[Any] = [
            leaf(next(names), each, self.broken, passivate_after=AGES)
            if isinstance(each, Restart)
            else self.spec_of(each, names, numbers)
            for each in shapes
        ]
        return SupervisorSpec(name=f"s{next(numbers)}", children=children, **group)

    def pick(self, data: st.DataObject, parts: list[Part]) -> Part:
        """One of them."""
        name = data.draw(st.sampled_from([part.name for part in parts]), label="who")
        return next(part for part in parts if part.name == name)

    def here(self) -> list[Part]:
        """The components that are not gone."""
        return [each for each in self.leaves if not each.gone]

    @precondition(lambda self: any(each.up for each in self.leaves))
    @rule(data=st.data(), again=st.integers(1, 4))
    def crash(self, data: st.DataObject, again: int) -> None:
        """One that runs traps, and again as soon as it is back."""
        who = self.pick(data, [each for each in self.leaves if each.up])
        for _ in range(again):
            if who.up:
                self.run(self.tree.bench.crash(self.children[who.name]))
                self.model.crash(who)
                self.pass_time(A_MOMENT)

    @precondition(lambda self: self.here())
    @rule(data=st.data())
    def restart(self, data: st.DataObject) -> None:
        """Somebody asks for a new instance; whether that works is looked at elsewhere."""
        who = self.pick(data, self.here())

        async def restart() -> None:
            asked = asyncio.create_task(self.tree.bench.supervisor.restart(self.children[who.name]))
            await settle()
            asked.cancel()
            with contextlib.suppress(AirssysError, asyncio.CancelledError):
                await asked

        self.run(restart())
        self.model.restart(who)
        self.pass_time(A_MOMENT)

    @precondition(lambda self: any(each.up for each in self.leaves))
    @rule(data=st.data())
    def sleep(self, data: st.DataObject) -> None:
        """One that nobody needs falls asleep."""
        who = self.pick(data, [each for each in self.leaves if each.up])
        self.run(fall_asleep(self.children[who.name]))
        self.model.sleep(who)

    @precondition(lambda self: any(each.asleep for each in self.leaves))
    @rule(data=st.data())
    def wake(self, data: st.DataObject) -> None:
        """One that sleeps gets a message."""
        who = self.pick(data, [each for each in self.leaves if each.asleep])

        async def tell() -> None:
            await self.tree.bench.tell(self.children[who.name], b"x")
            await settle()

        self.run(tell())
        self.model.wake(who)
        self.pass_time(A_MOMENT)

    @precondition(lambda self: len(self.here()) > 1)
    @rule(data=st.data())
    def unload(self, data: st.DataObject) -> None:
        """One is stopped for good."""
        who = self.pick(data, self.here())
        self.run(self.tree.bench.supervisor.stop_child(self.children[who.name]))
        self.model.remove(who)

    @rule(data=st.data())
    def break_or_mend(self, data: st.DataObject) -> None:
        """From now on it cannot start, or it can again."""
        self.broken.names ^= {self.pick(data, self.leaves).name}

    @rule(seconds=st.sampled_from([0.1, 0.35, 1.0, 6.0]))
    def pass_time(self, seconds: float) -> None:
        """Back-offs end, restarts leave the window."""
        self.run(self.tree.bench.clock.advance(seconds))
        self.model.advance(seconds)

    @invariant()
    def all_is_as_in_the_model(self) -> None:
        """What the guests did since the last look, and how everybody is."""
        done = self.tree.log()
        assert " ".join(self.model.log) == done
        self.model.log.clear()
        states = {name: child.state for name, child in self.children.items()}
        expected = {
            ActorState.RUNNING: "up",
            ActorState.FAILED: "failed",
            ActorState.STOPPED: "gone",
            ActorState.ASLEEP: "asleep",
        }
        for state, flag in expected.items():
            assert {each.name for each in self.leaves if getattr(each, flag)} == {
                n for n in states if states[n] is state
            }
        assert self.model.root.failed == (self.tree.tree.state is ActorState.FAILED)

    def teardown(self) -> None:
        """Leave by closing: all that runs stops in reverse order."""
        running = [each.name for each in self.leaves if each.up]
        self.run(self.stack.aclose())
        assert [component(name) for name in reversed(running)] == self.tree.bench.host.calls("close")
        self.runner.close()
        self.turns.stop()


TestTreeMachine = TreeMachine.TestCase
TestTreeMachine.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
