"""Closed and open loops: what is sent when, and what the latencies say."""

import asyncio
import time

import attrs
import pytest

from airssys_wasm import ActorStopped, ComponentId, GuestError
from airssys_wasm.core.exits import ExitKind, ExitReason
from airssys_wasm.system.bench_gauges import Watch, resident_bytes
from airssys_wasm.system.bench_load import Tally, drive
from airssys_wasm.system.bench_spec import BenchSpec

STALL = 0.3


@attrs.define
class Stalling:
    """Answers at once, but for the first message, which takes a while."""

    seen: list[bytes] = attrs.field(factory=list)

    async def send(self, payload: bytes) -> None:
        """One message."""
        self.seen.append(payload)
        await asyncio.sleep(STALL if len(self.seen) == 1 else 0)


@attrs.define
class Never:
    """Never answers."""

    async def send(self, payload: bytes) -> None:
        """One message."""
        await asyncio.Event().wait()


@attrs.define
class Failing:
    """Fails in one way."""

    error: Exception
    calls: int = 0

    async def send(self, payload: bytes) -> None:
        """One message."""
        self.calls += 1
        await asyncio.sleep(0)
        raise self.error


def slow(tally: Tally) -> int:
    """Messages that took at least a third of the stall."""
    return sum(count for nanoseconds, count in tally.latency.buckets() if nanoseconds >= STALL / 3 * 1e9)


async def test_a_stall_shows_in_all_messages_that_were_due_during_it() -> None:
    """Coordinated omission: 100 a second for half a second, the asker busy with the first for 0.3 s."""
    target, tally = Stalling(), Tally()
    await drive(target, [b"a", b"b"], BenchSpec(rate=100), 0.5, tally)
    assert (50, 50, 0) == (len(target.seen), tally.messages, tally.unanswered)
    assert slow(tally) >= 20  # those due in the first 0.2 s waited for at least 0.1 s
    assert [b"a", b"b", b"a"] == target.seen[:3]


async def test_in_a_closed_loop_the_same_stall_is_one_message() -> None:
    """Each asker sends when it has its answer."""
    target, tally = Stalling(), Tally()
    await drive(target, [b"x"], BenchSpec(), STALL, tally)
    assert (1, 1) == (len(target.seen), slow(tally))


async def test_so_many_askers_send_at_a_time() -> None:
    """Closed and open."""
    for rate in (None, 1000.0):
        at_a_time = most = 0

        class Counting:
            async def send(self, payload: bytes) -> None:
                nonlocal at_a_time, most
                at_a_time += 1
                most = max(most, at_a_time)
                await asyncio.sleep(0.01)
                at_a_time -= 1

        await drive(Counting(), [b""], BenchSpec(concurrency=5, rate=rate), 0.5, Tally())
        assert 5 == most


async def test_what_is_never_answered_counts_as_that_and_in_the_latencies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise the worst of all would be left out."""
    monkeypatch.setattr("airssys_wasm.system.bench_load._PATIENCE", 0.05)
    tally = Tally()
    await drive(Never(), [b""], BenchSpec(rate=100), 0.1, tally)
    assert (0, 10, 10) == (tally.messages, tally.unanswered, tally.latency.count)
    assert tally.latency.percentile(0.01) >= 0.09e9


async def test_errors_are_counted_by_what_they_are_and_the_run_goes_on() -> None:
    """A guest that answers err has answered."""
    tally = Tally()
    await drive(Failing(GuestError("runtime-error", "no")), [b""], BenchSpec(), 0.3, tally)
    assert (0, ["GuestError runtime-error"]) == (tally.messages, list(tally.errors))
    assert tally.errors.total() > 1


@pytest.mark.parametrize("rate", [None, 50.0])
async def test_a_component_that_has_ended_ends_the_run(rate: float | None) -> None:
    """There is nothing to measure any more."""
    stopped = ActorStopped(ComponentId("x", "y", "0"), ExitReason(ExitKind.FAILED, "too often"))
    target = Failing(stopped)
    with pytest.raises(ActorStopped):
        await drive(target, [b""], BenchSpec(concurrency=3, rate=rate), 0.2, Tally())
    assert target.calls <= 3


async def test_the_watch_sees_a_loop_that_is_held() -> None:
    """And the size of the process, and the throughput of each part."""
    counted = 0
    watch = Watch(lambda: counted, 0.1)
    task = asyncio.ensure_future(watch.run())
    for _ in range(12):
        await asyncio.sleep(0.01)
        counted += 10
    time.sleep(0.1)  # noqa: ASYNC251 - it is to hold the loop
    await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.wait([task])
    gauges = watch.gauges()
    assert gauges.loop_gap_longest_ms >= 90
    assert gauges.loop_gap_p50_ms <= gauges.loop_gap_p99_ms <= gauges.loop_gap_longest_ms
    assert gauges.resident_most >= gauges.resident_loaded > 1_000_000
    assert resident_bytes() > 1_000_000
    assert watch.windows
    assert max(watch.windows) > 0
