"""Typed calls in a soak: the host functions that a plugin calls, the calls themselves, and what became of each.

| word | a host function | so the call |
|---|---|---|
| quick | answers | answers |
| missing | raises what is one of its errors | answers err |
| bug | raises something else, cancels itself | crashes the component |
| late | takes longer than a call may, a thread of its own included | ends by its deadline, or is given up |
"""

import asyncio
import contextlib
import threading
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any, final

import attrs

from airssys_wasm import ActorHandle, DeadLetter, blocking
from airssys_wasm.core.calls import Invocation
from benchmarks.soak_plan import Step

API, KV = "my:app/api", "my:app/kv"
LATE_SECONDS = 0.7
"""Longer than a call may take here."""

MODES = ("quick", "missing", "bug", "late", "own")
NAMELESS = {"spin", "crash"}
"""Functions without parameters, that could carry no number."""

WAITING, DELIVERED = "waiting", "delivered"

CALL_GOES_WITH = {
    "answer": {"ok"},
    "guest-error": {"err"},
    "refused": {"refused"},
    "crashed": {DELIVERED},
    "interrupted": {DELIVERED, "refused"},
    "running": {DELIVERED, "ok", "err", "refused"},
    "withdrawn": {WAITING},
    "full": {WAITING},
    "stopped": {WAITING, DELIVERED},
    "linked": {WAITING, DELIVERED},
    "cancelled": {WAITING, DELIVERED, "ok", "err", "refused"},
}
"""How far a call may have come that ended so."""

GO_ON = {"running", "cancelled", "interrupted"}
"""After these something may still come of a call: nobody waits for it any more."""


class NotFoundError(Exception):
    """Named like the case of kv-error that it stands for."""


@final
class Kv:
    """The host's half of the plugin; `counts` says how its functions ended, whichever thread they ran in."""

    def __init__(self) -> None:
        self.counts = Counter[str]()
        self._lock = threading.Lock()
        counting = self.counting

        class Store:
            """A resource whose static function blocks its thread."""

            def __init__(self, name: str) -> None:
                self.name = name

            def get(self, key: str) -> str | None:
                """Nothing is in it."""
                return None

            @staticmethod
            @blocking
            def find(name: str) -> "Store":
                """Take its time, in a thread."""
                with counting():
                    mode = name.partition("/")[0]
                    time.sleep(LATE_SECONDS if mode == "late" else 0.0005)
                    if mode == "missing":
                        raise NotFoundError(name)
                    return Store(name)

        self.Store = Store

    async def get(self, key: str) -> str:
        """A value that shows its key."""
        with self.counting():
            await _behave(key.partition("/")[0])
            return f"value of {key}"

    def set(self, key: str, value: str) -> None:
        """Keep nothing."""
        with self.counting():
            if key.startswith("bug"):
                raise RuntimeError(value)

    async def wait(self, number: int) -> int:
        """The next number, in a while."""
        with self.counting():
            await _behave(MODES[number % len(MODES)])
            return number + 1

    @contextlib.contextmanager
    def counting(self) -> Iterator[None]:
        """Count a call of a host function, and how it ends."""
        self._count("begun")
        try:
            yield
        except asyncio.CancelledError:
            self._count("cancelled")
            raise
        except Exception:
            self._count("raised")
            raise
        self._count("answered")

    @property
    def under_way(self) -> int:
        """Calls of host functions that have not ended."""
        return 2 * self.counts["begun"] - self.counts.total()

    def _count(self, what: str) -> None:
        with self._lock:
            self.counts[what] += 1


async def _behave(mode: str) -> None:
    match mode:
        case "missing":
            raise NotFoundError(mode)
        case "bug":
            raise RuntimeError(mode)
        case "late":
            await asyncio.sleep(LATE_SECONDS)
        case "own":
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
            await asyncio.sleep(0)
        case _:
            await asyncio.sleep(0)


@attrs.define(eq=False)
class Call:
    """One call on its way; a nameless one carries no number, so that nothing is seen of its way."""

    nameless: bool
    state: str = WAITING
    outcome: str | None = None


@final
@attrs.define(eq=False)
class Calls:
    """Each call from its beginning to its one end, and the counts of those that have ended."""

    violations: list[str]
    kv: Kv = attrs.field(factory=Kv)
    open: dict[int, Call] = attrs.field(factory=dict)
    begun: int = 0
    ends: Counter[str] = attrs.field(factory=Counter)
    outcomes: Counter[str] = attrs.field(factory=Counter)
    letters: Counter[str] = attrs.field(factory=Counter)

    async def make(self, step: Step, handle: ActorHandle) -> None:
        """Make the call that a step says; raises what it raises, but an err that was to come."""
        function, mode = step.payload.decode().split(" ")
        call = self.open[step.number] = Call(nameless=function in NAMELESS)
        self.begun += 1
        arguments, expected = _arguments(function, mode, step.number)
        caller = handle.interface(API, timeout=step.timeout, interrupt=step.interrupt)
        answer = await getattr(caller, function.replace("-", "_"))(*arguments)
        self.ended(step.number, "answer")
        if answer != expected:
            self.violations.append(f"{step} was answered {answer!r}, not {expected!r}: {call}")

    def ended(self, number: int, outcome: str) -> None:
        """A call has returned or raised."""
        self.outcomes[outcome] += 1
        call = self.open[number]
        if call.outcome is not None:
            self.violations.append(f"call {number} ended as {call.outcome} and as {outcome}")
        call.outcome = outcome
        if not call.nameless and call.state not in CALL_GOES_WITH[outcome]:
            self.violations.append(f"call {number} ended as {outcome} and is {call.state}")
        if outcome not in GO_ON:
            del self.open[number]

    def delivered(self, invocation: Invocation) -> int | None:
        """A guest gets a call; its number, None for a nameless one."""
        number = _number_of(invocation)
        if number is None:
            return None
        call = self.open.get(number)
        if call is None or call.state != WAITING:
            self.violations.append(f"call {number} was delivered, and is {call}")
        else:
            call.state = DELIVERED
        return number

    def answered(self, number: int | None, end: str) -> None:
        """A guest has answered a call; or it never ran, since the call does not fit."""
        self.ends[end] += end != "refused"
        call = None if number is None else self.open.get(number)
        too_late = call is not None and call.outcome == "interrupted" and end != "refused"
        if number is None or call is None or call.state != DELIVERED or too_late:
            self.violations.append(f"call {number} was answered {end}, and is {call}")
        else:
            call.state = end

    def lost(self, letter: DeadLetter) -> None:
        """A call was not handled."""
        self.letters[str(letter.reason)] += 1

    def check(self) -> None:
        """All have ended, with the host functions that they called."""
        if self.begun != self.outcomes.total():
            self.violations.append(f"{self.begun} calls began, {self.outcomes.total()} ended: {self.outcomes}")
        if self.begun != self.ends.total() + self.letters.total():
            self.violations.append(f"{self.begun} calls: {self.ends} and as dead letters {self.letters}")
        if self.kv.under_way:
            self.violations.append(f"host functions: {self.kv.counts}")


def _arguments(function: str, mode: str, number: int) -> tuple[tuple[Any, ...], Any]:
    """What it is called with, and what it has to answer."""
    key, waited = f"{mode}/{number}", number * len(MODES) + MODES.index(mode if mode in MODES else "quick")
    known: dict[str, tuple[tuple[Any, ...], Any]] = {
        "greet": ((number if mode == "misfit" else str(number),), f"Hello, {number}!"),
        "look-up": ((key,), f"value of {key}"),
        "wait": ((waited,), waited + 1),
        "remember": ((key, "value"), None),
    }
    return known.get(function, (() if function in NAMELESS else (key,), None))


def _number_of(invocation: Invocation) -> int | None:
    if not invocation.arguments:
        return None
    first = invocation.arguments[0]
    if isinstance(first, str):
        return int(first.rpartition("/")[2])
    return int(first) // len(MODES) if invocation.function == "wait" else int(first)
