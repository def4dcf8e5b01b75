"""SQLite's refusals: as errors of ours for whoever asked, and as lines in the log for the operator."""

import logging
import sqlite3
import time
from typing import Final, final

from airssys_wasm.core.storage import StorageUnavailable

REPEAT_SECONDS: Final = 60.0
"""The same trouble is logged once in that time, however many components run into it."""

REASONS: Final = {
    sqlite3.SQLITE_BUSY: "locked by another process",
    sqlite3.SQLITE_LOCKED: "locked by another process",
    sqlite3.SQLITE_FULL: "full",
    sqlite3.SQLITE_READONLY: "read-only",
    sqlite3.SQLITE_CORRUPT: "corrupt",
    sqlite3.SQLITE_NOTADB: "corrupt or no database",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened",
    sqlite3.SQLITE_IOERR: "input/output error",
    sqlite3.SQLITE_NOMEM: "out of memory",
    sqlite3.SQLITE_TOOBIG: "value too large",
}
"""What SQLite's primary result codes mean to a guest and to an operator; others are "failed"."""

_PRIMARY_CODE: Final = 0xFF

_logger = logging.getLogger("airssys_wasm.runtime")


def unavailable(where: str, error: Exception) -> StorageUnavailable:
    """What SQLite raised as an error of ours; the cause keeps SQLite's own words."""
    if isinstance(error, StorageUnavailable):
        return error
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & _PRIMARY_CODE
    reason = "value too large" if isinstance(error, OverflowError) else REASONS.get(code, "failed")
    failure = StorageUnavailable(where, reason)
    failure.__cause__ = error
    return failure


@final
class Trouble:
    """Tells the operator what is wrong with a file and when it is over, without a line for each guest that asks."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._logged_at: dict[str, float] = {}
        self._failures = {True: 0, False: 0}
        self._told = {True: False, False: False}

    def met(self, reason: str, error: Exception, *, writes: bool) -> None:
        """Note a failure; logged when it is the first of its kind in a while."""
        self._failures[writes] += 1
        now = time.monotonic()
        if now - self._logged_at.get(reason, -REPEAT_SECONDS) >= REPEAT_SECONDS:
            self._logged_at[reason], self._told[writes] = now, True
            verb = "written" if writes else "read"
            _logger.error("storage %s cannot be %s: %s (%s)", self._where, verb, reason, error)

    def over(self, *, writes: bool) -> None:
        """Note a success; logged when the failures before it were."""
        failures, self._failures[writes] = self._failures[writes], 0
        told, self._told[writes] = self._told[writes], False
        if told:
            verb = "written" if writes else "read"
            _logger.warning("storage %s can be %s again, after %d failures", self._where, verb, failures)
