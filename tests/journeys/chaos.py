"""Chaos on scripted guests and a manual clock: the same seed does the same things, in the same order.

plan(seed) ─► Chaos ─► one step after the other (chaos_steps.py) ─► all has to end ─► violations (chaos_checks.py)

The loop goes by the same clock as the system, correlation ids are counted, and what looks at the machine's time sees
one that each look moves. So nothing of how it interleaves depends on the machine, and what is found can be looked at
again: `python -m tests.journeys.chaos 4711` runs one seed, `… 0 5000` many, and tells the fewest steps that fail.
"""

import asyncio
import hashlib
import random
from collections.abc import Awaitable, Callable
from typing import Final, final

import attrs

from airssys_wasm import ActorHandle, ActorState, ActorSystem, AirssysError, ComponentId, DeadLetter, Event
from airssys_wasm.actor.child import Child
from airssys_wasm.core.limits import MIB
from airssys_wasm.system.events import Stream
from airssys_wasm.system.supervision import SupervisorHandle
from airssys_wasm.testing.clock import ManualClock
from airssys_wasm.testing.guests import ScriptedGuest, ScriptedHost
from tests.journeys.chaos_account import Account
from tests.journeys.chaos_guests import Version, conduct

STEPS: Final = 150
ROUNDS: Final = 80
ROUND_SECONDS: Final = 3.0
"""So long, moved on like that, nothing may take: no deadline, no back-off and no grace period here comes near."""

ROOM_BYTES: Final = 14 * MIB
NOBODY: Final = ComponentId("demo", "nobody", "0")
RELAY: Final = ComponentId("host", "app", "relay")
LEAVINGS: Final = ("stop", "stop", "kill", "cancel", "unload")


class Leaving(Exception):
    """What leaves a system that is killed."""


@attrs.frozen
class Step:
    """One thing that is done; all that it decides it decides by its own dice."""

    action: str
    dice: int


def plan(seed: int, actions: dict[str, int], count: int = STEPS) -> list[Step]:
    """What a seed stands for; each does some things often and others seldom or never."""
    dice = random.Random(seed)
    weights = [weight * dice.choice([0.1, 1, 1, 4]) for weight in actions.values()]
    weights[[*actions].index("load")] += actions["load"]  # where nothing lives nothing happens
    names = dice.choices([*actions], weights, k=count)
    return [Step(name, dice.getrandbits(32)) for name in names]


@final
@attrs.define(eq=False, repr=False)
class Chaos:
    """One run, and what it has seen."""

    seed: int
    dice: random.Random = attrs.field(init=False)
    loners: list[ComponentId] = attrs.field(init=False)
    """Components that may be loaded, each under a supervisor of its own."""
    trouble: float = attrs.field(init=False)
    """How often a stage of a component's life goes wrong."""
    rest: float = attrs.field(init=False)
    """How often everything that is ready may run before the next step is taken."""
    spot: float = attrs.field(init=False)
    """How often an ask that could be begun by its asker is."""
    spots: random.Random = attrs.field(init=False)
    clock: ManualClock = attrs.field(factory=ManualClock, init=False)
    host: ScriptedHost = attrs.field(init=False)
    system: ActorSystem = attrs.field(init=False)
    account: Account = attrs.field(factory=Account, init=False)
    trace: list[str] = attrs.field(factory=list, init=False)
    violations: list[str] = attrs.field(factory=list, init=False)
    tasks: "dict[asyncio.Task[None], str]" = attrs.field(factory=dict, init=False)
    """Operations of host code; those of `lasting` may last as long as the system."""
    lasting: "set[asyncio.Task[None]]" = attrs.field(factory=set, init=False)
    leaving: bool = attrs.field(default=False, init=False)
    """Whether nothing more is to begin."""
    cancelled: "set[asyncio.Task[None]]" = attrs.field(factory=set, init=False)
    children: dict[Child, None] = attrs.field(factory=dict, init=False)
    """Every component there ever was."""
    handles: dict[ComponentId, ActorHandle] = attrs.field(factory=dict, init=False)
    """The last handle of each address; it may be stale."""
    trees: dict[str, SupervisorHandle] = attrs.field(factory=dict, init=False)
    versions: int = attrs.field(default=0, init=False)
    _letters: Stream[DeadLetter] = attrs.field(init=False)
    _events: Stream[Event] = attrs.field(init=False)
    events: list[Event] = attrs.field(factory=list, init=False)
    _last: dict[tuple[object, ComponentId], int] = attrs.field(factory=dict, init=False)
    lanes: dict[int, object] = attrs.field(factory=dict, init=False)
    """Who sent a message, of those whose order is kept."""

    def __attrs_post_init__(self) -> None:
        self.dice = dice = random.Random(self.seed)
        self.loners = [ComponentId("demo", f"a{number}", "0") for number in range(dice.choice([1, 2, 5]))]
        self.trouble, self.rest = dice.choice([0.02, 0.07, 0.2]), dice.choice([0.05, 0.3, 0.8])
        self.host = ScriptedHost({}, self.clock, on_the_spot=self._on_the_spot)
        self.spots = random.Random(f"spots of {self.seed}")
        self.spot = self.spots.choice([0.0, 0.5, 0.9, 1.0])
        room = ROOM_BYTES if self.dice.random() < 0.3 else None
        self.system = ActorSystem(host=self.host, clock=self.clock, max_total_memory_bytes=room)
        self._letters = self.system._observatory.dead_letters.open(1_000_000)
        self._events = self.system._observatory.events.open(1_000_000)

    def _on_the_spot(self) -> bool:
        """Whether an ask that finds its actor waiting is begun by its asker: not where a budget has ended."""
        return self.spots.random() < self.spot

    def version(self, dice: random.Random, trouble: float) -> bytes:
        """A new binary."""
        self.versions += 1
        trouble = trouble if self.versions > len(self.loners) else 0.0  # something has to live at first
        source = f"version {self.versions}".encode()
        self.host.scripts[source] = Version(conduct(dice, self.versions, trouble), self).script()
        return source

    def new(self, verb: str, argument: str, target: ComponentId, lane: object) -> tuple[int, bytes]:
        """A message that is about to be sent."""
        account = self.account
        account.numbers += 1
        account.sent[account.numbers, target] += 1
        self.lanes[account.numbers] = lane
        key = f"k{account.numbers % 3}"
        return account.numbers, f"{key} {verb} {argument} #{account.numbers}".encode()

    def inner(self, guest: ScriptedGuest, target: ComponentId) -> bytes:
        """One that a guest is about to send."""
        verb = ("echo", "err", "none", "slow", "trap", "echo", "stuck")[self.account.numbers % 7]
        return self.new(verb, "-", target, guest)[1]

    def delivered(self, guest: ScriptedGuest, number: int) -> None:
        """A guest gets a message: once, and in its order."""
        me = guest.state.component_id
        self.trace.append(f"{me} gets {number}")
        child = self.system._parts().registry.get(me)
        key = number % 3 if child is not None and child.spec.mailbox.key is not None else None
        lane = (self.lanes[number], key), me
        if self.lanes[number] is not None and number <= self._last.get(lane, 0):
            self.violations.append(f"{me} gets {number} after {self._last[lane]}")
        self._last[lane] = number

    def begin(self, what: str, doing: Callable[[], Awaitable[object]], *, lasts: bool = False) -> None:
        """Do something in a task of its own, which may be cancelled."""
        task = asyncio.create_task(self._to_its_end(f"{len(self.tasks)} {what}", doing))
        self.tasks[task] = what
        if lasts:
            self.lasting.add(task)

    async def _to_its_end(self, what: str, doing: Callable[[], Awaitable[object]]) -> None:
        task = asyncio.current_task()
        try:
            await doing()
            end = "ok"
        except AirssysError as exc:
            end = type(exc).__name__
        except asyncio.CancelledError:
            end = "cancelled"
            if task not in self.cancelled:
                self.violations.append(f"{what} was cancelled by nobody")
        except Exception as exc:  # noqa: BLE001 - nothing else may come
            end = repr(exc)
            self.violations.append(f"{what} raised {exc!r}")
        self.trace.append(f"{what}: {end}")

    def cancel(self, task: "asyncio.Task[None]") -> None:
        """Cancel one of the operations."""
        self.cancelled.add(task)
        task.cancel()

    def some(self, dice: random.Random) -> ActorHandle:
        """A handle of something, sometimes stale."""
        return self._of(dice, [*self.handles.values()])

    def component(self, dice: random.Random) -> ActorHandle:
        """A handle of a component, sometimes stale."""
        return self._of(dice, [handle for handle in self.handles.values() if handle.id != RELAY])

    def _of(self, dice: random.Random, handles: list[ActorHandle]) -> ActorHandle:
        live = [handle for handle in handles if handle.state is not ActorState.STOPPED]
        return dice.choice((live if dice.random() < 0.9 else handles) or handles or [*self.handles.values()])

    def anybody(self, dice: random.Random) -> ComponentId:
        """An address, perhaps nobody's."""
        return dice.choice([*self.handles, NOBODY])

    def resume(self, dice: random.Random | None = None) -> None:
        """Have guests that wait go on: some, or all."""
        for guest in self.host.live:
            if dice is None or dice.random() < 0.5:
                guest.resume()

    def look(self) -> None:
        """Write down what has happened meanwhile."""
        while (event := self._events.get_nowait()) is not None:
            self.events.append(event)
            kind = "" if event.reason is None else event.reason.kind
            self.trace.append(f"{event.component} {event.kind} {kind} {event.attempt} {event.version}")
        before = len(self.account.died)
        self.account.read(self._letters)
        self.trace += [f"dead {key} {letters[-1].reason}" for key, letters in [*self.account.died.items()][before:]]

    @property
    def digest(self) -> str:
        """All that has happened, in short."""
        return hashlib.sha256("\n".join(self.trace).encode()).hexdigest()

    async def until_over(self, tasks: "set[asyncio.Task[None]]") -> "set[asyncio.Task[None]]":
        """Move the clock as far as anything may take; those that have not ended by then."""
        for _ in range(ROUNDS):
            self.resume()
            await self.clock.advance(ROUND_SECONDS)
            self.look()
            if all(task.done() for task in tasks):
                return set()
        return {task for task in tasks if not task.done()}
