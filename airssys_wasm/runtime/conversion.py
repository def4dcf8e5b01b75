"""A large value on its way into a guest or out of it, as a thread sees it: one step, however long (`abi/pace.py`)."""

from collections.abc import Callable
from typing import Any, Final, final

from airssys_wasm.runtime.abi.pace import Paced

CONVERTERS: Final = 2
"""Threads for conversions. They hold the GIL nearly all the time that they work, so more would only keep the loop
waiting for longer; with one, a value that takes 1 ms would wait for one that takes a second."""


@final
class Conversion:
    """Work that a `PollThreads` runs in one step."""

    slice_ticks = 1
    waiting = False

    def __init__(self, work: Callable[[], Any], paced: Paced) -> None:
        self._work, self._paced = work, paced
        self.value: Any = None
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
        self.value = self._work()
        return True

    def abandon(self) -> None:
        """Never: it is waited for."""

    def retire(self) -> None:
        """Never: as above."""
