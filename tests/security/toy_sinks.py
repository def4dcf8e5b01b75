"""Sinks that keep, get stuck, or fail, as a test wants."""

import threading
from collections.abc import Sequence

from airssys_wasm.security.decision import Record


class Keeping:
    """A sink with a thread, that keeps what it gets and rings."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.wrote = threading.Event()
        self.threads = set[str]()

    def write(self, records: Sequence[Record]) -> None:
        """Keep, wait, or raise."""
        self.threads.add(threading.current_thread().name)
        self.records += records
        self.wrote.set()


class Stuck(Keeping):
    """A sink that does not come back until it may."""

    def __init__(self) -> None:
        super().__init__()
        self.called, self.may_go = threading.Event(), threading.Event()

    def write(self, records: Sequence[Record]) -> None:
        """Keep, wait, or raise."""
        self.called.set()
        assert self.may_go.wait(30)
        super().write(records)


class Failing(Keeping):
    """A sink that raises until it is repaired."""

    def __init__(self) -> None:
        super().__init__()
        self.broken = True
        self.called = threading.Semaphore(0)

    def write(self, records: Sequence[Record]) -> None:
        """Keep, wait, or raise."""
        try:
            if self.broken:
                raise OSError("no space left")
            super().write(records)
        finally:
            self.called.release()
