import json
import logging
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airssys_wasm.core.errors import ConfigError
from airssys_wasm.core.ids import ComponentId
from airssys_wasm.security.decision import AuditEntry, Dropped, Record
from airssys_wasm.security.sinks import JsonLinesSink, LoggingSink, MemorySink

WHO = ComponentId("org", "a", "0")


def _entry(number: int, *, granted: bool = True) -> AuditEntry:
    return AuditEntry(WHO, "send", f"org/b/{number}", granted=granted, reason="why", time=float(number))


def _entries(count: int) -> list[Record]:
    return [_entry(number) for number in range(count)]


def _resources(path: Path) -> list[str]:
    return [json.loads(line)["resource"] for line in path.read_text(encoding="ascii").splitlines()]


LINE_BYTES = len(json.dumps(_entry(0).fields())) + 1


def test_lines_are_appended_as_json(tmp_path: Path) -> None:
    """Each record is one object, in its order; a file that is there is kept."""
    path = tmp_path / "audit.jsonl"
    JsonLinesSink(path).write([_entry(0)])
    JsonLinesSink(path).write([_entry(1), Dropped(3, 2.0)])
    lines = [json.loads(line) for line in path.read_text(encoding="ascii").splitlines()]
    assert [_entry(0).fields(), _entry(1).fields(), Dropped(3, 2.0).fields()] == lines


def test_only_the_owner_reads_a_new_file(tmp_path: Path) -> None:
    """Who talks to whom is nobody else's business."""
    JsonLinesSink(tmp_path / "audit.jsonl").write([_entry(0)])
    assert 0o600 == (tmp_path / "audit.jsonl").stat().st_mode & 0o777


def test_a_full_file_is_moved_away_and_the_oldest_deleted(tmp_path: Path) -> None:
    """As many full ones are kept as wanted, the newest with the lowest number."""
    sink = JsonLinesSink(tmp_path / "a", max_bytes=2 * LINE_BYTES, backups=2)
    for record in _entries(7):
        sink.write([record])
    assert {"a": ["org/b/6"], "a.1": ["org/b/4", "org/b/5"], "a.2": ["org/b/2", "org/b/3"]} == {
        path.name: _resources(path) for path in tmp_path.iterdir()
    }


def test_without_backups_a_full_file_is_deleted(tmp_path: Path) -> None:
    """Only the newest lines are kept."""
    JsonLinesSink(tmp_path / "a", max_bytes=2 * LINE_BYTES, backups=0).write(_entries(5))
    assert {"a": ["org/b/4"]} == {path.name: _resources(path) for path in tmp_path.iterdir()}


def test_a_line_over_the_bound_gets_a_file_of_its_own(tmp_path: Path) -> None:
    """It is not lost, and does not turn for ever."""
    JsonLinesSink(tmp_path / "a", max_bytes=1, backups=1).write(_entries(3))
    assert [["org/b/2"], ["org/b/1"]] == [_resources(tmp_path / name) for name in ("a", "a.1")]


@given(
    batches=st.lists(st.integers(0, 5), max_size=8),
    lines_per_file=st.integers(1, 4),
    spare=st.integers(0, LINE_BYTES - 1),
)
def test_rotation_loses_no_line_and_keeps_to_the_bound(
    tmp_path_factory: pytest.TempPathFactory, batches: list[int], lines_per_file: int, spare: int
) -> None:
    """Read from the oldest file to the newest, the lines are those that were written."""
    folder = tmp_path_factory.mktemp("audit")
    max_bytes = lines_per_file * LINE_BYTES + spare
    sink, written = JsonLinesSink(folder / "a", max_bytes=max_bytes, backups=40), 0
    for size in batches:
        sink.write([_entry(number % 10) for number in range(written, written + size)])
        written += size
    paths = sorted(folder.iterdir(), key=lambda path: int(path.suffix[1:] or 0), reverse=True)
    assert [f"org/b/{number % 10}" for number in range(written)] == [
        name for path in paths for name in _resources(path)
    ]
    assert all(path.stat().st_size <= max_bytes for path in paths)


def test_a_half_line_of_a_killed_process_costs_no_other(tmp_path: Path) -> None:
    """The next line starts on its own."""
    path = tmp_path / "a"
    path.write_text('{"time": "197', encoding="ascii")
    JsonLinesSink(path).write([_entry(0)])
    first, second = path.read_text(encoding="ascii").splitlines()
    assert ('{"time": "197', _entry(0).fields()) == (first, json.loads(second))


def test_a_file_that_was_taken_away_is_made_anew(tmp_path: Path) -> None:
    """By a log rotator, or by hand."""
    sink = JsonLinesSink(tmp_path / "a")
    sink.write([_entry(0)])
    (tmp_path / "a").unlink()
    sink.write([_entry(1)])
    assert ["org/b/1"] == _resources(tmp_path / "a")


def test_a_full_disk_and_a_missing_folder_raise(tmp_path: Path) -> None:
    """Whoever calls counts the loss."""
    with pytest.raises(OSError, match="No space left"):
        JsonLinesSink(Path("/dev/full")).write([_entry(0)])
    with pytest.raises(FileNotFoundError):
        JsonLinesSink(tmp_path / "none" / "a").write([_entry(0)])


def test_a_failed_write_leaves_no_half_line(tmp_path: Path) -> None:
    """What the disk took of it is cut off again."""
    resource = pytest.importorskip("resource")
    import signal  # noqa: PLC0415 - as resource, only on POSIX

    sink = JsonLinesSink(tmp_path / "a")
    sink.write([_entry(0)])
    size = (tmp_path / "a").stat().st_size
    handler, limits = signal.signal(signal.SIGXFSZ, signal.SIG_IGN), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 10, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            sink.write([_entry(1)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert size == (tmp_path / "a").stat().st_size
    sink.write([_entry(2)])
    assert ["org/b/0", "org/b/2"] == _resources(tmp_path / "a")


@pytest.mark.parametrize(("field", "value"), [("max_bytes", 0), ("max_bytes", True), ("backups", -1), ("backups", 1.0)])
def test_a_wrong_bound_is_refused_by_name(tmp_path: Path, field: str, value: Any) -> None:
    """Before anything is written."""
    with pytest.raises(ConfigError, match=f"^{field} is not a whole number of at least"):
        JsonLinesSink(tmp_path / "a", **{field: value})


def test_the_log_says_denials_louder(caplog: pytest.LogCaptureFixture) -> None:
    """And has the record itself for whoever formats it."""
    records: list[Record] = [_entry(0), _entry(1, granted=False), Dropped(2, 3.0)]
    with caplog.at_level(logging.INFO, "airssys_wasm.audit"):
        LoggingSink().write(records)
    assert [("INFO", str(records[0])), ("WARNING", str(records[1])), ("WARNING", "dropped 2")] == [
        (record.levelname, record.message) for record in caplog.records
    ]
    assert records == [record.__dict__["audit"] for record in caplog.records]


def test_memory_keeps_the_newest() -> None:
    """And counts what had to go."""
    sink = MemorySink(2)
    sink.write(_entries(3))
    sink.write([_entry(3)])
    assert ([_entry(2), _entry(3)], 2) == (sink.entries, sink.dropped)
    sink.write([Dropped(1, 0.0)])
    assert [_entry(3)] == sink.entries
    sink.clear()
    assert [] == sink.entries


@pytest.mark.parametrize("capacity", [0, -1, True, None])
def test_memory_is_bounded(capacity: Any) -> None:
    """There is no sink without end."""
    with pytest.raises(ConfigError, match=r"^capacity is not a whole number"):
        MemorySink(capacity)
