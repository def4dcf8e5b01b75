"""Watches a run from beside it: how late the loop's timers are, how large the process is, how even the throughput."""

import asyncio
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, final

import attrs

from airssys_wasm.system.bench_histogram import Histogram
from airssys_wasm.system.bench_result import Gauges

WINDOWS: Final = 10
"""Parts of a run whose throughput is noted, to know its spread."""

_BEAT: Final = 0.002
"""Seconds between two looks at the clock: two ticks, so that it costs next to nothing."""

_STATM: Final = Path("/proc/self/statm")


def resident_bytes() -> int:
    """Bytes of this process in memory: now where the system tells, else the most so far."""
    if _STATM.exists():
        import resource  # noqa: PLC0415 - there is none on Windows, where there is no /proc either

        return int(_STATM.read_text().split()[1]) * resource.getpagesize()
    return _most_resident()


def _most_resident() -> int:
    try:
        import resource  # noqa: PLC0415 - as above
    except ImportError:
        return 0
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


@final
@attrs.define(eq=False)
class Watch:
    """Looks at a run from `run` until it is cancelled; `count` says how many messages have been answered."""

    count: Callable[[], int]
    seconds: float
    resident_before: int = 0
    windows: list[float] = attrs.field(factory=list, init=False)
    _resident_loaded: int = attrs.field(factory=resident_bytes, init=False)
    _resident_most: int = attrs.field(default=0, init=False)
    _late: Histogram = attrs.field(factory=Histogram, init=False)

    async def run(self) -> None:
        """Watch until cancelled."""
        window_began, counted = time.perf_counter(), self.count()
        while True:
            due = time.perf_counter() + _BEAT
            await asyncio.sleep(_BEAT)
            now = time.perf_counter()
            self._late.record(int((now - due) * 1e9))
            if now - window_began >= self.seconds / WINDOWS:
                self.windows.append((self.count() - counted) / (now - window_began))
                window_began, counted = now, self.count()
                self._resident_most = max(self._resident_most, resident_bytes())

    def gauges(self) -> Gauges:
        """What was seen."""
        return Gauges(
            loop_gap_p50_ms=self._late.percentile(0.5) / 1e6,
            loop_gap_p99_ms=self._late.percentile(0.99) / 1e6,
            loop_gap_longest_ms=self._late.longest / 1e6,
            resident_before=self.resident_before,
            resident_loaded=self._resident_loaded,
            resident_most=max(self._resident_most, self._resident_loaded),
        )
