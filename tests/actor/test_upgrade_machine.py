"""Random upgrades, crashes, restarts, asks and time against a simple model: which version answers, with what count."""

import asyncio
import contextlib
from typing import Any

import attrs
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from airssys_wasm.actor.restarts import RestartPolicy
from airssys_wasm.core.config import ComponentConfig
from airssys_wasm.core.errors import ComponentCrashed, InstantiationFailed, Trap
from airssys_wasm.testing.clock import settle
from airssys_wasm.testing.guests import Script, ScriptedGuest
from tests.actor.bench import opened
from tests.actor.upgrading import HANDS_OVER, upgrade, upgrading, version

PROBATION, BACKOFF = 5.0, 0.5


async def _does_not_start(_guest: ScriptedGuest, _config: ComponentConfig) -> None:
    raise Trap("unreachable")


@attrs.define
class Slow:
    """The first instance takes its time."""

    begun: bool = False

    async def initialize(self, guest: ScriptedGuest, _config: ComponentConfig) -> None:
        """Until the test resumes it."""
        if not self.begun:
            self.begun = True
            await guest.pause()


@attrs.frozen
class Binary:
    """A version, and whether it hands its state over."""

    number: int
    hands_over: bool

    def script(self, **behaviour: Any) -> Script:
        """What it does."""
        return version(str(self.number), *(HANDS_OVER if self.hands_over else ()), **behaviour)


@attrs.define
class Model:
    """What must be the case: `count` is None while nothing serves, `old_count` when the old one has no instance."""

    binary: Binary
    count: int | None = 0
    up_at: float = 0.0
    old: Binary | None = None
    old_count: int | None = None
    until: float = 0.0
    crashes_left: int = 0
    goodbyes: int = 0

    def upgrade(self, new: Binary, max_crashes: int, now: float) -> None:
        """Another binary serves."""
        self.accept()
        state = self.count if self.binary.hands_over and new.hands_over else None
        self.old, self.old_count = self.binary, self.count
        self.binary, self.count = new, state or 0
        self.until, self.crashes_left = now + PROBATION, max_crashes

    def accept(self) -> None:
        """The old one is given up."""
        self.goodbyes += self.old is not None and self.old_count is not None
        self.old = self.old_count = None

    def crash(self, now: float) -> None:
        """What serves has crashed."""
        self.count, self.up_at = None, now + BACKOFF
        self.crashes_left -= 1
        if self.old is not None and self.crashes_left < 0:
            self.binary, self.count = self.old, self.old_count
            self.old = self.old_count = None

    def restart(self) -> None:
        """Somebody asks for a new instance."""
        self.goodbyes += self.count is not None
        self.count = 0

    def pass_to(self, now: float) -> None:
        """So late is it."""
        if self.count is None and self.up_at <= now:
            self.count = 0
        if self.old is not None and self.until <= now:
            self.accept()

    @property
    def living(self) -> int:
        """How many instances there are."""
        return (self.count is not None) + (self.old_count is not None)


class UpgradeMachine(RuleBasedStateMachine):
    """One component."""

    def __init__(self) -> None:
        super().__init__()
        self.runner, self.stack = asyncio.Runner(), contextlib.AsyncExitStack()
        self.numbers = iter(range(2, 1000))

    def run(self, what: Any) -> Any:
        """Run a coroutine on the loop of this machine."""
        return self.runner.run(what)

    @initialize(hands_over=st.booleans())
    def load(self, hands_over: bool) -> None:
        """The first version."""
        first = Binary(1, hands_over)
        policy = RestartPolicy(intensity=1000, backoff_initial=BACKOFF, backoff_factor=1.0)

        async def start() -> None:
            self.bench = await self.stack.enter_async_context(opened())
            self.child = await self.bench.start(script=first.script(), policy=policy)

        self.run(start())
        self.model = Model(first)

    def next_binary(self, hands_over: bool) -> Binary:
        """A version that was never there."""
        return Binary(next(self.numbers), hands_over)

    @rule(hands_over=st.booleans(), max_crashes=st.integers(0, 2))
    def upgrade(self, hands_over: bool, max_crashes: int) -> None:
        """To a version that starts."""
        new = self.next_binary(hands_over)
        self.run(upgrade(self.bench, self.child, new.script(), probation=PROBATION, max_crashes=max_crashes))
        self.model.upgrade(new, max_crashes, self.bench.clock.time())

    @rule(hands_over=st.booleans(), max_crashes=st.integers(0, 1), cancelled=st.booleans(), crashes=st.booleans())
    def upgrade_slowly(self, hands_over: bool, max_crashes: int, cancelled: bool, crashes: bool) -> None:
        """What serves may crash meanwhile, and the upgrade may be cancelled."""
        new = self.next_binary(hands_over)

        async def go() -> None:
            terms = {"probation": PROBATION, "max_crashes": max_crashes}
            upgraded = upgrading(self.bench, self.child, new.script(on_initialize=Slow().initialize), **terms)
            await settle()
            if crashes and self.model.count is not None:
                await self.bench.crash(self.child)
            if cancelled:
                upgraded.cancel()
            self.bench.guest(-1).resume()
            await asyncio.wait([upgraded])
            await settle()

        if crashes and self.model.count is not None:
            self.run(go())
            self.model.crash(self.bench.clock.time())
        else:
            self.run(go())
        if not cancelled:
            self.model.upgrade(new, max_crashes, self.bench.clock.time())

    @rule(hands_over=st.booleans())
    def upgrade_to_what_does_not_start(self, hands_over: bool) -> None:
        """Nothing changes."""
        script = self.next_binary(hands_over).script(on_initialize=_does_not_start)
        with pytest.raises(InstantiationFailed):
            self.run(upgrade(self.bench, self.child, script))

    @precondition(lambda self: self.model.count is not None)
    @rule()
    def ask(self) -> None:
        """The version and the count are the model's."""
        assert self.model.count is not None
        self.model.count += 1
        expected = (b"%d" % self.model.binary.number, b"%d" % self.model.count)
        asks = (self.bench.ask(self.child, b"version"), self.bench.ask(self.child, b"count"))
        assert expected == (self.run(asks[0]), self.run(asks[1]))

    @precondition(lambda self: self.model.count is not None)
    @rule()
    def crash(self) -> None:
        """On a message."""
        with pytest.raises(ComponentCrashed):
            self.run(self.bench.ask(self.child, b"trap"))
        self.run(settle())
        self.model.crash(self.bench.clock.time())

    @rule()
    def restart(self) -> None:
        """On request."""
        self.run(self.bench.supervisor.restart(self.child))
        self.model.restart()

    @rule(seconds=st.sampled_from([0.3, 1.0, 4.0, 6.0]))
    def wait(self, seconds: float) -> None:
        """Back-off and probation end."""
        self.run(self.bench.clock.advance(seconds))
        self.model.pass_to(self.bench.clock.time())

    @invariant()
    def nothing_else_lives(self) -> None:
        """Each instance that is given up has said goodbye once, and is closed."""
        if not hasattr(self, "model"):
            return
        self.run(settle())
        assert self.model.living == len(self.bench.host.live)
        assert self.model.goodbyes == len(self.bench.host.calls("shutdown"))
        assert f"digest {self.model.binary.number}" == self.child.digest

    def teardown(self) -> None:
        """Nothing is left, whatever was under way."""
        self.run(self.stack.aclose())
        self.runner.close()


TestUpgrades = UpgradeMachine.TestCase
TestUpgrades.settings = settings(stateful_step_count=25, max_examples=40, deadline=None)
