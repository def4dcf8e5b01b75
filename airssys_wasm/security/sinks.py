"""Where the audit trail goes: a file of JSON lines, `logging`, or memory."""

import contextlib
import itertools
import json
import logging
import os
from collections import deque
from collections.abc import Sequence
from io import FileIO
from pathlib import Path
from typing import Final, Protocol, final

from airssys_wasm.core.errors import ConfigError
from airssys_wasm.security.decision import AuditEntry, Dropped, Record

LOGGER_NAME: Final = "airssys_wasm.audit"

_NEWLINE: Final = b"\n"


class Sink(Protocol):
    """What an `Audit` writes to."""

    def write(self, records: Sequence[Record]) -> None:
        """Keep some records, in their order.

        Called on a thread of the sink's own, once at a time; it may wait. What it raises is logged, and the records
        count as lost.
        """
        ...


def check_count(field: str, value: int, least: int) -> int:
    """Take a number as it is.

    Raises:
        ConfigError: It is no whole number, or less than the least; the error names the field.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ConfigError(field, value, f"is not a whole number of at least {least}")
    return value


@final
class MemorySink:
    """Keeps the last records, for tests and for looking at a running program.

    Written to by the caller itself, so what was decided is there at once.

    Args:
        capacity: how many; `dropped` counts the older ones that had to go.

    Raises:
        ConfigError: The capacity is not a positive number.
    """

    def __init__(self, capacity: int = 1024) -> None:
        self.dropped = 0
        self._records: deque[Record] = deque(maxlen=check_count("capacity", capacity, 1))

    @property
    def entries(self) -> list[AuditEntry]:
        """The entries that are there, oldest first."""
        return [record for record in self._records if isinstance(record, AuditEntry)]

    def write(self, records: Sequence[Record]) -> None:
        """Keep records."""
        room = (self._records.maxlen or 0) - len(self._records)
        self.dropped += max(0, len(records) - room)
        self._records.extend(records)

    def clear(self) -> None:
        """Forget them."""
        self._records.clear()


@final
class LoggingSink:
    """Writes to the logger `airssys_wasm.audit`: granted as info, denied and dropped as warning.

    Each log record has the `AuditEntry` or `Dropped` as its attribute `audit`.
    """

    def __init__(self) -> None:
        self._logger = logging.getLogger(LOGGER_NAME)

    def write(self, records: Sequence[Record]) -> None:
        """Log records."""
        for record in records:
            level = logging.INFO if isinstance(record, AuditEntry) and record.granted else logging.WARNING
            self._logger.log(level, "%s", record, extra={"audit": record})


@final
class JsonLinesSink:
    """Appends to a file, one JSON object a line, ASCII only.

    The file is opened for each batch: one that was moved away or deleted is made anew, and what could not be written
    for a while can be again. A full file becomes `<path>.1`, that one `<path>.2`, and so on. New files can be read by
    their owner only. Lines are with the operating
    system when `write` returns, not forced to disk.

    Args:
        path: the file; its folder has to be there.
        max_bytes: no file gets larger, unless by a single line.
        backups: how many full files are kept; 0: a full one is deleted.

    Raises:
        ConfigError: A number is out of its range.
    """

    def __init__(self, path: Path, *, max_bytes: int = 16 * 1024 * 1024, backups: int = 4) -> None:
        self._path = Path(path)
        self._max_bytes = check_count("max_bytes", max_bytes, 1)
        self._backups = check_count("backups", backups, 0)

    def write(self, records: Sequence[Record]) -> None:
        """Append lines, rotating where the file is full.

        Raises:
            OSError: The file could not be written; some of the lines may be there, no half one.
        """
        lines = [_json_line(record) for record in records]
        while lines:
            with open(self._path, "a+b", buffering=0, opener=_private) as file:
                size = _whole_lines(file)
                count = self._fitting(lines, size)
                _append(file, b"".join(lines[:count]), size)
            if count < len(lines):
                self._rotate()
            del lines[:count]

    def _fitting(self, lines: Sequence[bytes], size: int) -> int:
        """How many of the lines still go into the file."""
        count = 0
        while count < len(lines) and (size == 0 or size + len(lines[count]) <= self._max_bytes):
            size += len(lines[count])
            count += 1
        return count

    def _rotate(self) -> None:
        paths = [self._path, *(self._path.with_name(f"{self._path.name}.{n}") for n in range(1, self._backups + 1))]
        for older, newer in itertools.pairwise(reversed(paths)):
            if newer.exists():
                newer.replace(older)
        self._path.unlink(missing_ok=True)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _json_line(record: AuditEntry | Dropped) -> bytes:
    return json.dumps(record.fields()).encode() + _NEWLINE


def _whole_lines(file: FileIO) -> int:
    """End the line that a killed process left in its middle; the file's size."""
    size = file.seek(0, os.SEEK_END)
    if size == 0:
        return 0
    file.seek(size - 1)
    if file.read(1) != _NEWLINE:
        _append(file, _NEWLINE, size)
        size += 1
    return size


def _append(file: FileIO, data: bytes, size: int) -> None:
    """Write all, or leave the file as it was."""
    try:
        while data:
            data = data[file.write(data) :]
    except OSError:
        with contextlib.suppress(OSError):
            file.truncate(size)
        raise
