"""Calls for the worker threads that do as a test says."""

import threading


class Steps:
    """A call that ends, or waits for the host, after some steps; notes each."""

    slice_ticks = 1

    def __init__(self, name: str, steps: int, log: list[str], *, error: Exception | None = None) -> None:
        self.stopping = False
        self.waiting = False
        self.name, self.left, self.log, self.error = name, steps, log, error
        self.threads = set[str]()

    def step(self) -> bool:
        """One slice."""
        self.log.append(self.name)
        self.threads.add(threading.current_thread().name)
        if self.error is not None:
            raise self.error
        self.left -= 1
        return self.left <= 0

    def abandon(self) -> None:
        """Never here."""
        raise AssertionError

    def retire(self) -> None:
        """Never here."""
        raise AssertionError


class Endless(Steps):
    """A call whose step lasts until it is let go, and which never ends."""

    def __init__(self) -> None:
        super().__init__("endless", 1, [])
        self.entered, self.let_go = threading.Event(), threading.Event()

    def step(self) -> bool:
        """One slice."""
        self.entered.set()
        self.let_go.wait()
        return False
