"""The thread that moves the epoch on while guests run."""

import threading
import time
from collections.abc import Callable, Iterator

import pytest
from wasmtime import Engine

from airssys_wasm.runtime.abi import capi
from airssys_wasm.runtime.ticker import EpochTicker

PATIENCE = 10.0


def until(condition: Callable[[], bool]) -> bool:
    """Wait for a condition, generously."""
    deadline = time.monotonic() + PATIENCE
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.001)
    return condition()


def close(ticker: EpochTicker) -> None:
    """Close and wait."""
    for thread in ticker.close():
        thread.join()


def parked_soon(ticker: EpochTicker) -> bool:
    """Wait until it does not tick any more."""
    return until(lambda: not ticker.running)


def more_than(seen: int, ticks: list[int]) -> bool:
    """Wait until the epoch has moved."""
    return until(lambda: len(ticks) > seen)


@pytest.fixture
def ticks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A list that grows with each epoch."""
    ticks, real = list[int](), capi.increment_epoch

    def increment(engine: int) -> None:
        ticks.append(engine)
        real(engine)

    monkeypatch.setattr(capi, "increment_epoch", increment)
    return ticks


@pytest.fixture
def ticker() -> Iterator[EpochTicker]:
    """Closed with the test."""
    ticker = EpochTicker(Engine())
    yield ticker
    close(ticker)


def test_a_ticker_without_calls_has_no_thread(ticker: EpochTicker) -> None:
    """An engine that nobody uses costs nothing."""
    assert not ticker.running
    assert "airssys-epoch" not in {thread.name for thread in threading.enumerate()}


def test_the_epoch_moves_as_long_as_a_call_is_polled(ticker: EpochTicker, ticks: list[int]) -> None:
    """However long it takes."""
    ticker.enter(1)
    assert until(lambda: len(ticks) > 200)
    assert ticker.running
    ticker.leave(1)


def test_it_parks_when_nobody_polls_and_comes_back(ticker: EpochTicker, ticks: list[int]) -> None:
    """It is the same thread."""
    for _ in range(3):
        ticker.enter(1)
        ticker.leave(1)
        assert until(lambda: bool(ticks))
        assert parked_soon(ticker)
        ticks.clear()
    assert 1 == sum(thread.name == "airssys-epoch" for thread in threading.enumerate())


def test_parked_it_does_not_tick(ticker: EpochTicker, ticks: list[int]) -> None:
    """Ticking costs some of a core."""
    ticker.enter(1)
    ticker.leave(1)
    assert until(lambda: not ticker.running and bool(ticks))
    before = len(ticks)
    time.sleep(0.02)
    assert before == len(ticks)


def test_a_call_that_comes_as_it_parks_is_never_missed(ticker: EpochTicker, ticks: list[int]) -> None:
    """Two hundred times at the very moment; each call sees the epoch move."""
    for _ in range(200):
        ticker.enter(1)
        seen = len(ticks)
        assert more_than(seen, ticks)
        ticker.leave(1)
        ticker._polls += 1
        idle_until = time.monotonic() + 0.0005
        while time.monotonic() < idle_until:
            pass


def test_closing_ends_the_thread_parked_or_not(ticks: list[int]) -> None:
    """And may be done twice; a call that comes later starts none, and is refused."""
    for parked in (True, False):
        ticker = EpochTicker(Engine())
        ticker.enter(1)
        assert until(lambda: bool(ticks))
        if parked:
            ticker.leave(1)
            assert parked_soon(ticker)
        close(ticker)
        close(ticker)
        with pytest.raises(RuntimeError, match="closed"):
            ticker.enter(2)
        assert "airssys-epoch" not in {thread.name for thread in threading.enumerate()}
        ticks.clear()
