"""The epoch ticker: a thread that moves an engine's epoch on while guests run, so that none runs past its slice."""

import threading
import time
from collections.abc import Callable
from typing import Final, final

from wasmtime import Engine

from airssys_wasm.runtime.abi import capi

TICK: Final = 0.001
"""Seconds between two epochs: the longest that a guest runs on the event loop before it has to give it back."""

_CLOSED: Final = "the engine is closed: its guests cannot be called any more"

_IDLE_TICKS: Final = 50
"""Ticks without a call after which the thread parks; ticking costs 3 % of a core."""


@final
class EpochTicker:
    """Ticks while calls are polled, parks when none has been for some 50 ms; keeps its engine alive until closed.

    `enter` and `leave` bracket every poll, on any thread; the attributes they touch change by operations that are
    atomic under the GIL. Parking announces itself first and looks for calls afterwards, while a call is registered
    first and looks for parking afterwards, so one of the two always sees the other.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._polling: set[int] = set()
        self.leave: Callable[[int], None] = self._polling.discard
        """The poll of that key has returned."""
        self._polls = 0
        self._parked = True
        self._closed = False
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        self._start_lock = threading.Lock()

    def enter(self, key: int) -> None:
        """A poll begins; after this the epoch moves until `leave`.

        Raises:
            RuntimeError: The engine is closed, so that nothing would ever interrupt the guest.
        """
        if self._closed:
            raise RuntimeError(_CLOSED)
        self._polling.add(key)
        self._polls += 1
        if self._parked:
            self._unpark()

    def close(self) -> list[threading.Thread]:
        """Ask the thread to end, within a tick; returns it, if there is one, for the caller to wait for."""
        with self._start_lock:
            self._closed = True
            self._wake.set()
            return [] if self._thread is None else [self._thread]

    @property
    def running(self) -> bool:
        """Whether the thread ticks at the moment."""
        return self._thread is not None and not self._parked

    def _unpark(self) -> None:
        with self._start_lock:
            if self._thread is None and not self._closed:
                thread = threading.Thread(target=self._run, name="airssys-epoch", daemon=True)
                thread.start()  # when the system has no thread left, the next call tries again
                self._thread = thread
        self._wake.set()

    def _run(self) -> None:
        address = capi.address(self._engine.ptr())
        while not self._closed:
            self._wake.wait()
            self._wake.clear()
            self._parked = False
            self._tick_until_idle(address)

    def _tick_until_idle(self, engine: int) -> None:
        seen, idle = self._polls, 0
        while not self._closed:
            time.sleep(TICK)
            capi.increment_epoch(engine)
            if self._polling or self._polls != seen:
                seen, idle = self._polls, 0
                continue
            idle += 1
            if idle < _IDLE_TICKS:
                continue
            self._parked = True
            if not self._polling and self._polls == seen:
                return
            self._parked = False
