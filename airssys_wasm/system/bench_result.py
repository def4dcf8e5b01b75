"""What a benchmark found, and its form as JSON (pure)."""

import json
import statistics
from collections.abc import Mapping
from typing import Any, Final, TypeVar

import attrs
import cattrs

from airssys_wasm.core.errors import ConfigError
from airssys_wasm.system.bench_histogram import Histogram

FORMAT: Final = 1
"""Of the JSON; raised when a reader of the earlier one would be misled."""

_SHARES: Final = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p99_9": 0.999}
Value = TypeVar("Value")


@attrs.frozen
class Latency:
    """Microseconds from the moment a message was sent, in an open loop should have been sent, to its answer."""

    p50: float
    p90: float
    p99: float
    p99_9: float
    longest: float
    mean: float
    buckets_ns: tuple[tuple[int, int], ...] = attrs.field(default=(), repr=False)
    """The whole distribution: the longest time of each bucket in nanoseconds, and how many fell into it."""

    @classmethod
    def of(cls, histogram: Histogram) -> "Latency":
        """Read a histogram."""
        shares = {name: histogram.percentile(share) / 1e3 for name, share in _SHARES.items()}
        return cls(**shares, longest=histogram.longest / 1e3, mean=histogram.mean / 1e3, buckets_ns=histogram.buckets())


@attrs.frozen
class Gauges:
    """What the run did to the process.

    `loop_gap_*` are milliseconds that a timer of the event loop was late, whose own resolution is a millisecond when
    nothing else goes on; `resident_*` bytes of the process before the components were loaded, after, and at the most.
    """

    loop_gap_p50_ms: float
    loop_gap_p99_ms: float
    loop_gap_longest_ms: float
    resident_before: int
    resident_loaded: int
    resident_most: int


@attrs.frozen
class StageFigures:
    """One stage of a pipeline: its messages, their latency, and the share of the run spent inside the guest."""

    id: str
    messages: int
    latency: Latency
    guest_share: float


@attrs.frozen
class Scenario:
    """One load, measured.

    `windows` is the throughput of each tenth of the run, from which its spread is known; `errors` counts by what went
    wrong; `unanswered` are messages of an open loop that had no answer long after its end: their latency counts up to
    then. `fuel` is wasmtime's units a message, None when it was not counted.
    """

    name: str
    messages: int
    errors: Mapping[str, int]
    unanswered: int
    seconds: float
    throughput: float
    windows: tuple[float, ...]
    latency: Latency
    gauges: Gauges
    guest_share: float
    fuel: float | None = None
    stages: tuple[StageFigures, ...] = ()

    @property
    def spread(self) -> float:
        """Between the first and the last quartile of the windows, as a share of their median; 0 with too few."""
        middle = statistics.median(self.windows) if self.windows else 0.0
        if len(self.windows) < 2 or not middle:  # noqa: PLR2004 - what quantiles need
            return 0.0
        low, _, high = statistics.quantiles(self.windows, n=4)
        return (high - low) / middle


@attrs.frozen
class Report:
    """A whole benchmark: what was measured, with which settings, on what."""

    subject: str
    sha256: str
    machine: Mapping[str, str]
    settings: Mapping[str, str]
    scenarios: tuple[Scenario, ...]
    format: int = FORMAT

    def to_json(self) -> str:
        """As text, for `--json`."""
        return json.dumps(cattrs.unstructure(self), indent=2) + "\n"

    @classmethod
    def from_json(cls, name: str, text: str) -> "Report":
        """Read what `to_json` wrote; raises ConfigError, which names the file."""
        try:
            return _structured(cls, json.loads(text))
        except Exception as exc:
            raise ConfigError(name, text, "is no result of `airssys-wasm bench`") from exc


def _structured(kind: type[Value], found: Any) -> Value:
    if found["format"] != FORMAT:
        raise ValueError(found["format"])
    return cattrs.Converter().structure(found, kind)
