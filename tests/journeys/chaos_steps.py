"""The steps of a chaos: everything that host code can do, and time that passes."""

import asyncio
import random
from collections.abc import Callable
from functools import partial
from typing import Any, Final, final

import attrs

from airssys_wasm.testing.clock import settle
from tests.journeys.chaos import RELAY, Chaos, Step
from tests.journeys.chaos_lives import Lives, limits, there
from tests.journeys.chaos_messages import Messages

ACTIONS: Final = {
    "ask": 26,
    "tell": 12,
    "tell_now": 6,
    "send": 8,
    "request": 10,
    "publish": 3,
    "burst": 6,
    "call": 2,
    "resume": 14,
    "time": 20,
    "turns": 8,
    "cancel": 10,
    "upgrade": 10,
    "upgrade_again": 3,
    "collide": 15,
    "restart": 4,
    "load": 9,
    "unload": 3,
    "supervise": 4,
    "stop_tree": 1,
    "restart_tree": 1,
    "link": 4,
    "unlink": 1,
    "linked": 1,
    "wait_stopped": 1,
    "revoke": 2,
}

COLLIDING: Final = (
    "ask",
    "tell",
    "burst",
    "request",
    "upgrade",
    "upgrade_again",
    "restart",
    "unload",
    "cancel",
    "resume",
)


@final
@attrs.frozen(eq=False, repr=False)
class Steps:
    """What a chaos does; a step begins its operations and waits for none."""

    chaos: Chaos
    messages: Messages = attrs.field(
        init=False, default=attrs.Factory(lambda self: Messages(self.chaos), takes_self=True)
    )
    lives: Lives = attrs.field(init=False, default=attrs.Factory(lambda self: Lives(self.chaos), takes_self=True))

    async def take(self, step: Step) -> None:
        """Take one."""
        dice = random.Random(step.dice)
        self.chaos.trace.append(step.action)
        done = self._doing(step.action)(dice)
        if done is not None:
            await done
        if dice.random() < self.chaos.rest:
            await settle()
        self.chaos.look()

    def _doing(self, action: str) -> Callable[[random.Random], Any]:
        who: Any = next(who for who in (self, self.messages, self.lives) if hasattr(who, action))
        doing: Callable[[random.Random], Any] = getattr(who, action)
        return doing

    async def start(self, dice: random.Random) -> None:
        """What there is from the beginning."""
        chaos = self.chaos
        relay, heard = self.messages.relay, self.messages.heard
        await chaos.system.serve(RELAY, relay, on_callback=heard, limits=limits(dice), mailbox="drop-newest")
        chaos.handles[RELAY] = there(chaos, RELAY)
        for component in chaos.loners[:3]:
            chaos.begin(f"load {component}", partial(self.lives.loaded, dice, component))
        chaos.begin("supervise", partial(self.lives.supervised, dice, "one"))
        await settle()

    def resume(self, dice: random.Random) -> None:
        """Have some of the guests that wait go on."""
        self.chaos.resume(dice)

    async def time(self, dice: random.Random) -> None:
        """Let time pass."""
        await self.chaos.clock.advance(dice.choice([0.05, 0.1, 0.3, 0.5, 1.0, 2.0, 3.0]))

    async def turns(self, dice: random.Random) -> None:
        """Let the loop turn."""
        for _ in range(dice.randrange(7)):
            await asyncio.sleep(0)

    def collide(self, dice: random.Random) -> None:
        """Have something happen in the very turn in which the clock brings something else."""
        soon = sorted(timer for timer in self.chaos.clock._timers if not timer.cancelled)[:5]
        if not soon:
            return
        timer, first = dice.choice(soon), dice.random() < 0.5
        doing, other = partial(self._doing(dice.choice(COLLIDING)), dice), timer.callback

        def both() -> None:
            for what in (doing, other) if first else (other, doing):
                if what is other or not self.chaos.leaving:
                    what()

        timer.callback = both

    def cancel(self, dice: random.Random) -> None:
        """Cancel operations that are under way, wherever they wait."""
        under_way = [task for task in self.chaos.tasks if not task.done()]
        for task in dice.sample(under_way, min(len(under_way), dice.choice([1, 1, 2]))):
            self.chaos.cancel(task)
