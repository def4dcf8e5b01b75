import logging
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from airssys_wasm.core.errors import ConfigError
from airssys_wasm.core.ids import ComponentId
from airssys_wasm.security.audit import Audit
from airssys_wasm.security.capabilities import Capabilities
from airssys_wasm.security.decision import AuditEntry, Decision, Dropped
from airssys_wasm.security.guard import Guard
from airssys_wasm.security.lane import THREAD_NAME
from airssys_wasm.security.sinks import JsonLinesSink, LoggingSink, MemorySink
from tests.security.toy_sinks import Failing, Keeping, Stuck

WHO = ComponentId("org", "a", "0")
TARGET = ComponentId("org", "b", "0")


def _granted(number: int) -> Decision:
    return Decision(granted=True, reason="grant *", component=WHO, action="send", resource=f"org/b/{number}")


DENIED = Decision(granted=False, reason="no grant permits it", component=WHO, action="send", resource="org/b/0")


@pytest.fixture
def audits() -> Iterator[Callable[..., Audit]]:
    """Makes audits that are closed at the test's end."""
    made = list[Audit]()

    def make(*sinks: Any, **options: Any) -> Audit:
        made.append(Audit(*sinks, **options))
        return made[-1]

    yield make
    for audit in made:
        audit.close()


def _threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == THREAD_NAME]


def test_every_sink_gets_every_entry_in_order(audits: Callable[..., Audit], tmp_path: Path) -> None:
    """Memory at once, the others on a thread of their own, all of it by the close."""
    memory, first, second = MemorySink(), Keeping(), Keeping()
    audit = audits(memory, first, second, JsonLinesSink(tmp_path / "a"), LoggingSink())
    expected = [AuditEntry.of(_granted(number), 1.0) for number in range(500)]
    for number in range(500):
        audit.record(_granted(number), 1.0)
    assert expected == memory.entries
    audit.close()
    assert (expected, expected, 500) == (
        first.records,
        second.records,
        len((tmp_path / "a").read_text(encoding="ascii").splitlines()),
    )
    assert {"airssys-audit"} == first.threads
    assert (0, 0) == (audit.dropped, audit.failed)


def test_threads_start_with_the_first_entry_and_end_with_the_close(audits: Callable[..., Audit]) -> None:
    """An audit that nobody uses costs nothing; closing twice is silent."""
    audit = audits(Keeping(), Keeping())
    assert [] == _threads()
    audit.record(_granted(0), 1.0)
    assert 2 == len(_threads())
    audit.close()
    audit.close()
    assert [] == _threads()


def test_an_entry_is_written_without_waiting_for_a_second_one(audits: Callable[..., Audit]) -> None:
    """Nothing has to push it."""
    sink = Keeping()
    audits(sink).record(_granted(0), 1.0)
    assert sink.wrote.wait(30)
    assert [AuditEntry.of(_granted(0), 1.0)] == sink.records


def test_a_sink_that_is_stuck_holds_up_neither_the_caller_nor_the_others(audits: Callable[..., Audit]) -> None:
    """It loses what is beyond its queue, and is told how much once it goes on."""
    stuck, well = Stuck(), Keeping()
    audit = audits(stuck, well, capacity=10, clock=lambda: 7.0)
    audit.record(_granted(0), 1.0)
    assert stuck.called.wait(30)
    for number in range(1, 26):
        well.wrote.clear()
        audit.record(_granted(number), 1.0)
        assert well.wrote.wait(30)
    assert 15 == audit.dropped
    stuck.may_go.set()
    audit.close()
    assert [*(AuditEntry.of(_granted(number), 1.0) for number in range(11)), Dropped(15, 7.0)] == stuck.records
    assert [AuditEntry.of(_granted(number), 1.0) for number in range(26)] == well.records


def test_a_sink_that_raises_hurts_nobody_and_is_logged_once(
    audits: Callable[..., Audit], caplog: pytest.LogCaptureFixture
) -> None:
    """When it works again, it is told of what it lost."""
    failing, memory = Failing(), MemorySink()
    audit = audits(failing, memory, clock=lambda: 7.0)
    for number in range(3):
        audit.record(_granted(number), 1.0)
        assert failing.called.acquire(timeout=30)
    failing.broken = False
    audit.record(_granted(3), 1.0)
    audit.close()
    assert (3, 0) == (audit.failed, audit.dropped)
    assert [AuditEntry.of(_granted(3), 1.0), Dropped(3, 7.0)] == failing.records
    assert 4 == len(memory.entries)
    assert ["audit: Failing fails, entries are lost until it works: OSError('no space left')"] == caplog.messages


def test_a_file_that_cannot_be_written_is_counted_and_written_again_later(
    audits: Callable[..., Audit], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """With the number of lines that are missing."""
    failing = JsonLinesSink(tmp_path / "later" / "a")
    well = Keeping()
    audit = audits(failing, well)
    audit.record(_granted(0), 1.0)
    while audit.failed < 1:  # the thread's own pace
        assert well.wrote.wait(30)
    (tmp_path / "later").mkdir()
    audit.record(_granted(1), 1.0)
    audit.close()
    lines = (tmp_path / "later" / "a").read_text(encoding="ascii").splitlines()
    assert ["org/b/1" in lines[0], '"dropped": 1' in lines[1], 2] == [True, True, len(lines)]
    assert 1 == len(caplog.messages)


def test_what_is_lost_for_good_is_known_at_the_end(audits: Callable[..., Audit]) -> None:
    """A sink that never works does not keep the close from ending."""
    audit = audits(Failing())
    for number in range(200):
        audit.record(_granted(number), 1.0)
    audit.close()
    assert (200, 0) == (audit.failed, audit.dropped)


def test_a_sink_that_never_comes_back_does_not_keep_the_close_from_ending(
    audits: Callable[..., Audit], caplog: pytest.LogCaptureFixture
) -> None:
    """The log says whose thread is left."""
    stuck, well = Stuck(), Keeping()
    audit = audits(stuck, well)
    audit.record(_granted(0), 1.0)
    assert stuck.called.wait(30)
    audit.close(timeout=0.01)
    assert ["audit: Stuck is still writing after 0.01 s; what it has not written is lost"] == caplog.messages
    stuck.may_go.set()
    for thread in _threads():
        thread.join(30)


def test_after_the_close_decisions_are_only_counted(audits: Callable[..., Audit]) -> None:
    """Neither raised for nor written."""
    memory, sink = MemorySink(), Keeping()
    audit = audits(memory, sink)
    audit.close()
    audit.record(_granted(0), 1.0)
    audit.close_windows(1000.0)
    assert ([], [], 1) == (memory.entries, sink.records, audit.dropped)


def test_without_a_thread_to_be_had_entries_are_counted(
    audits: Callable[..., Audit], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The caller does not get the error."""

    def no_more(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    sink = Keeping()
    audit = audits(sink)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", no_more)
        audit.record(_granted(0), 1.0)
    assert 1 == audit.dropped
    audit.record(_granted(1), 1.0)
    audit.close()
    assert 2 == len(sink.records)


def test_denials_are_folded_before_they_take_room(audits: Callable[..., Audit]) -> None:
    """A guest that asks in a loop pushes nobody else's entry out; the close writes the summary."""
    stuck = Stuck()
    audit = audits(stuck, capacity=2, clock=lambda: 0.0)
    audit.record(DENIED, 0.0)
    assert stuck.called.wait(30)
    for _ in range(1000):
        audit.record(DENIED, 1.0)
    audit.record(_granted(0), 1.0)
    stuck.may_go.set()
    audit.close()
    assert [AuditEntry.of(DENIED, 0.0), AuditEntry.of(_granted(0), 1.0), AuditEntry.of(DENIED, 1.0, 1000)] == (
        stuck.records
    )
    assert 0 == audit.dropped


def test_a_window_closes_by_the_clock_where_there_is_a_thread(audits: Callable[..., Audit]) -> None:
    """Though no other decision comes: the thread sleeps until then."""
    folded = threading.Event()
    sink = Keeping()
    audit = audits(sink, clock=lambda: 5.0 if folded.is_set() else 4.99)
    audit.record(DENIED, 0.0)
    audit.record(DENIED, 0.5)
    folded.set()
    while len(sink.records) < 2:
        assert sink.wrote.wait(30)
    assert [AuditEntry.of(DENIED, 0.0), AuditEntry.of(DENIED, 0.5, count=1)] == sink.records


def test_a_test_closes_windows_by_hand(audits: Callable[..., Audit]) -> None:
    """Memory alone has no thread."""
    memory = MemorySink()
    audit = audits(memory)
    for now in (0.0, 1.0, 2.0):
        audit.record(DENIED, now)
    audit.close_windows(4.9)
    assert 1 == len(memory.entries)
    audit.close_windows(5.0)
    assert [AuditEntry.of(DENIED, 0.0), AuditEntry.of(DENIED, 2.0, count=2)] == memory.entries


def test_threads_may_record_at_the_same_time(audits: Callable[..., Audit]) -> None:
    """Each entry is there once."""
    memory, sink = MemorySink(10_000), Keeping()
    audit = audits(memory, sink)

    def work(start: int) -> None:
        for number in range(start, start + 1000):
            audit.record(_granted(number), 1.0)

    threads = [threading.Thread(target=work, args=(start,)) for start in range(0, 4000, 1000)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    audit.close()
    expected = {f"org/b/{number}" for number in range(4000)}
    assert (4000, expected) == (len(memory.entries), {entry.resource for entry in memory.entries})
    assert memory.entries == sink.records


@pytest.mark.parametrize("capacity", [0, True, None, 1.5])
def test_a_queue_is_bounded(capacity: Any) -> None:
    """By a positive number."""
    with pytest.raises(ConfigError, match=r"^capacity is not a whole number"):
        Audit(capacity=capacity)


def test_the_guard_writes_through_it(audits: Callable[..., Audit], caplog: pytest.LogCaptureFixture) -> None:
    """From the decision to the log line."""
    audit = audits(LoggingSink())
    guard = Guard(audit=audit)
    guard.grant(WHO, Capabilities(send=["org/b/*"]))
    with caplog.at_level(logging.INFO, "airssys_wasm.audit"):
        guard.authorise_message(WHO, "send", TARGET, 1.0)
        audit.close()
    assert ['granted: "org/a/0" send "org/b/0" (grant org/b/*)'] == caplog.messages
