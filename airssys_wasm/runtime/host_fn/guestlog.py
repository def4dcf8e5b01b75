"""Lines that guests write: escaped, cut, rate-limited, handed to the logger `airssys_wasm.guest`.

Fields on each record: `component` (the printed id), `guest_context` (pairs of str), `dropped` (lines left out since
the last one). A flood costs its component its own lines, not the log.
"""

import itertools
import logging
import time
from collections.abc import Iterable
from typing import Final, final

from airssys_wasm.core.ids import ComponentId

LEVELS: Final = {
    "trace": 5,
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "error": logging.ERROR,
}

MAX_LINE_CHARS: Final = 4096
MAX_CONTEXT_PAIRS: Final = 32
MAX_CONTEXT_CHARS: Final = 256
"""Of each name and each value of the context."""

LINES_PER_SECOND: Final = 100
BURST_LINES: Final = 200

_logger = logging.getLogger("airssys_wasm.guest")


@final
class GuestLog:
    """One component's lines: a token bucket of `BURST_LINES`, refilled at `LINES_PER_SECOND`.

    May be written to from any thread: WASI streams write from the thread that their guest runs in.
    """

    __slots__ = ("_component", "_dropped", "_partial", "_refilled", "_tokens")

    def __init__(self, component: ComponentId) -> None:
        self._component = component
        self._tokens = float(BURST_LINES)
        self._refilled = time.monotonic()
        self._dropped = 0
        self._partial: dict[str, bytes] | None = None
        """The unfinished line of each stream; None as long as nothing was written to any."""

    def write(self, level: str, message: str, context: Iterable[tuple[str, str]] = ()) -> None:
        """Log a line unless there were too many; the next one that is let through says how many were dropped."""
        number = LEVELS[level]
        if not _logger.isEnabledFor(number):
            return
        if not self._take():
            self._dropped += 1
            return
        pairs = tuple(
            (_clean(name, MAX_CONTEXT_CHARS), _clean(value, MAX_CONTEXT_CHARS))
            for name, value in itertools.islice(context, MAX_CONTEXT_PAIRS)
        )
        dropped, self._dropped = self._dropped, 0
        extra = {"component": str(self._component), "guest_context": pairs, "dropped": dropped}
        shown = "".join(f" {name}={value}" for name, value in pairs)
        note = f" ({dropped} lines dropped before this)" if dropped else ""
        _logger.log(number, "%s: %s%s%s", self._component, _clean(message), shown, note, extra=extra)

    def write_stream(self, stream: str, data: bytes) -> None:
        """Log what a guest wrote to stdout or stderr, a record for each line; an unfinished line waits for its end."""
        partial = self._partial = {} if self._partial is None else self._partial
        *lines, rest = (partial.pop(stream, b"") + data).split(b"\n")
        for line in lines:
            self._write_line(stream, line)
        if len(rest) > MAX_LINE_CHARS:
            self._write_line(stream, rest)
        elif rest:
            partial[stream] = rest

    def flush(self) -> None:
        """Log the lines that were never finished."""
        partial, self._partial = self._partial or {}, None
        for stream, line in partial.items():
            self._write_line(stream, line)

    def _write_line(self, stream: str, line: bytes) -> None:
        level = "info" if stream == "stdout" else "warn"
        self.write(level, line.decode("utf-8", "replace"), (("stream", stream),))

    def _take(self) -> bool:
        now = time.monotonic()
        self._tokens = min(BURST_LINES, self._tokens + (now - self._refilled) * LINES_PER_SECOND)
        self._refilled = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


def _clean(text: str, most: int = MAX_LINE_CHARS) -> str:
    """Escape what would start a new line or move a terminal, and cut what is too long.

    `repr` escapes the same characters a hundred times faster than a loop; what it does to quotes and backslashes
    besides is undone, a quote first: one in front makes it choose the other kind, with a backslash before each.
    """
    cut = text if len(text) <= most else f"{text[:most]}… ({len(text)} characters)"
    if cut.isprintable():
        return cut
    return repr('"' + cut)[2:-1].replace("\\'", "'").replace("\\\\", "\\")
