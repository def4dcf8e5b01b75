"""One guest call: its steps, its conversions, its end. `calls.py` has the kinds, `fibers.py` the picture."""

import abc
import time
from typing import Any

from airssys_wasm.runtime.abi.pace import Heavy, Lifting, Paced
from airssys_wasm.runtime.abi.values import Keep, release
from airssys_wasm.runtime.fibers import Fiber
from airssys_wasm.runtime.limiter import burnt
from airssys_wasm.runtime.ticker import TICK
from airssys_wasm.runtime.traps import trap_from


class Call(abc.ABC):
    """One guest call: how it begins, how its answer is read, how far it is. One thread at a time uses it."""

    slice_ticks = 1
    stopping = False
    ended = False
    step_time = 0.0
    """Seconds that the last step took; on the loop by the wall clock."""
    own_time = 0.0
    """Seconds that it had a core for."""
    longest_step = 0.0
    """The same of the longest step; ticks it was given beyond the first are not held against the guest."""
    on_thread = False
    large = False
    """Whether copying its arguments takes long, so that a thread does it from the start."""
    heavy: Paced | None = None
    """The conversion that is too long for a step and comes next: of the arguments, or of the answer."""
    copies_much = False
    """Whether its arguments are that long, so that wasmtime's copying them takes long too."""
    lifting: Lifting | None = None
    """Of its answer, if that is of component values."""
    _answered = False
    failed: Exception | None = None
    """What ended it, which spends its instance."""
    _value: Any = None

    def __init__(self, fiber: Fiber, keep: Keep) -> None:
        self.fiber, self.keep = fiber, keep
        fiber.interrupted = False  # that may have been said to an earlier one, as it was cancelled

    @abc.abstractmethod
    def begin(self) -> int:
        """Begin it, and put into `keep` what has to live until its end; the future. Raises Heavy."""

    @abc.abstractmethod
    def end(self) -> Any:
        """Read its answer; what it raises is what ended the call, but for Heavy."""

    def error(self, text: str) -> Exception:
        """What wasmtime's text says."""
        return trap_from(text)

    @property
    def waiting(self) -> bool:
        """Whether the guest waits for a host function, or the call for a conversion."""
        return self.fiber.host_call is not None or self.heavy is not None

    def result(self) -> Any:
        """The answer of an ended call, once; raises what ended it otherwise."""
        failed, self.failed = self.failed, None
        if failed is None:
            return self._value
        try:
            raise failed
        finally:
            del failed  # its traceback leads back here: no cycle, so that the guest goes without a garbage collection

    def step(self) -> bool:
        """Run the guest for a slice on this thread; True when the call has ended. No conversion in it takes long."""
        fiber, on_thread = self.fiber, self.on_thread
        started = time.thread_time() if on_thread else fiber.clock.begin()
        if fiber.future:
            fiber.set_slice(self.slice_ticks)
        else:
            self._start()
        self.ended = ended = self.heavy is None and self._poll() and self._finish()
        if on_thread:
            seconds = own = time.thread_time() - started
        else:
            seconds, own = fiber.clock.end(started)
        fiber.guest_time += seconds
        self.step_time, self.own_time = seconds, own
        beyond = own - (self.slice_ticks - 1) * TICK
        if beyond > self.longest_step:  # noqa: PLR1730 - `max` would be a call more for every message
            self.longest_step = beyond
        return ended

    @property
    def begun(self) -> bool:
        """Whether it has had a step, and has not ended."""
        return not self.ended and (bool(self.fiber.future) or self.heavy is not None)

    @property
    def answers_much(self) -> bool:
        """Whether its answer was too long for a step, so that nothing else made the last one long."""
        return self.lifting is not None and self.lifting.in_thread

    def move_to_thread(self, slice_ticks: int) -> None:
        """From now on the call is polled in a thread, whose time is its own, in slices of that length."""
        self.slice_ticks = slice_ticks
        self.on_thread = True

    def convert(self) -> None:
        """Do the conversion that was too long for a step, in a thread for it."""
        self.heavy = None
        if self._answered:
            self.ended = self._read()
        else:
            self.fiber.future = self.begin()

    def give_up(self) -> None:
        """Cancel a call that has not ended; one that is abandoned belongs to its thread."""
        if self.ended or not (self.fiber.future or self._answered):
            return
        self.fiber.spent = True
        if not self.fiber.abandoned:
            self.fiber.delete_future()

    def abandon(self) -> None:
        """Leave the call, its Store and all to the thread that it is stuck in."""
        self.fiber.abandon()

    def retire(self) -> None:
        """Free an abandoned call with its Store, on the thread that it had kept."""
        self.fiber.delete_future()
        if self.fiber.on_retired is not None:
            self.fiber.on_retired()

    def _start(self) -> None:
        self.fiber.prepare(self.slice_ticks)
        try:
            self.fiber.future = self.begin()
        except Heavy:
            self.heavy, self.copies_much = self.keep, True

    def _poll(self) -> bool:
        try:
            return self.fiber.poll()
        except BaseException:  # nobody knows how far the guest got, and what it was called with goes now
            self.give_up()
            raise

    def _finish(self) -> bool:
        """The guest has ended; whether its answer has been read."""
        fiber = self.fiber
        text = fiber.delete_future()
        if fiber.max_fuel is not None:
            fiber.fuel += burnt(fiber.context, fiber.max_fuel)
        if self.keep or fiber.handles is not None:
            release(self.keep)
        self._answered = True
        if text is None:
            return self._read()
        self.failed = self.error(text)
        return True

    def _read(self) -> bool:
        try:
            self._value = self.end()
        except Heavy:
            self.heavy = self.lifting
            return False
        except Exception as exc:  # noqa: BLE001 - kept for whoever asks for the answer
            self.failed = exc
        return True
