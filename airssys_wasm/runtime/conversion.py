"""A large value on its way into a guest or out of it, as a thread sees it: one step, however long (`abi/pace.py`)."""

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Final, final

from airssys_wasm.runtime.abi.pace import Paced

CONVERTERS: Final = 2
"""Conversions at a time. They hold the GIL nearly all the time that they work, so more would only keep the loop waiting
for longer; what wasmtime copies or frees for one meanwhile is done without it."""

CONVERTER_THREADS: Final = 32
"""Conversions under way, which take turns: one that takes seconds must not keep those of others waiting for as long."""

TURN_PAUSES: Final = 20
"""Pauses in a turn: some 4 ms, beside which it does not matter what it costs to change threads."""


@final
class Turns:
    """Lets so many threads at a time work, the longest waiting first."""

    def __init__(self, room: int = CONVERTERS) -> None:
        self._lock, self._room = threading.Lock(), room
        self._line: deque[threading.Lock] = deque()

    def take(self) -> None:
        """Wait for a turn."""
        with self._lock:
            if self._room:
                self._room -= 1
                return
            gate = threading.Lock()
            gate.acquire()
            self._line.append(gate)
        gate.acquire()

    def give(self) -> None:
        """End a turn: it is the next one's."""
        with self._lock:
            if self._line:
                self._line.popleft().release()
            else:
                self._room += 1

    def rest(self) -> None:
        """In the middle of a long work: let the others have their turns first."""
        if self._line:
            self.give()
            self.take()


@final
class Conversion:
    """Work that a `PollThreads` runs in one step."""

    slice_ticks = 1
    waiting = False

    def __init__(self, work: Callable[[], Any], paced: Paced, turns: Turns) -> None:
        self._work, self._paced, self._turns = work, paced, turns
        self.value: Any = None
        paced.rest = self._rest
        self._pauses = 0
        paced.unbound()

    @property
    def stopping(self) -> bool:
        """Whether nobody waits for it any more."""
        return self._paced.withdrawn

    @stopping.setter
    def stopping(self, stopping: bool) -> None:
        self._paced.withdrawn = stopping

    def step(self) -> bool:
        """Do it all; what it raises goes to whoever waits."""
        self._turns.take()
        try:
            self.value = self._work()
        finally:
            self._turns.give()
        return True

    def _rest(self) -> None:
        """A pause: whoever waits for the GIL gets it, and now and then somebody else the turn."""
        self._pauses += 1
        if self._pauses % TURN_PAUSES == 0:
            self._turns.rest()
        time.sleep(0)

    def abandon(self) -> None:
        """Never: it is waited for."""

    def retire(self) -> None:
        """Never: as above."""
