"""Two benchmark results beside each other: ratios, and whether they say anything (pure)."""

import math
from collections.abc import Iterator
from enum import StrEnum

import attrs

from airssys_wasm.system.bench_result import Report, Scenario


class Verdict(StrEnum):
    """What a ratio of throughputs says."""

    FASTER = "faster"
    SLOWER = "slower"
    NOISE = "within noise"


@attrs.frozen
class Row:
    """One scenario in both; ratios are after : before, `noise` what the spread within the two runs makes of one."""

    name: str
    throughput: float
    p50: float
    p99: float
    p99_9: float
    fuel: float | None
    noise: float

    @property
    def verdict(self) -> Verdict:
        """By throughput: a difference has to be larger than the spread of the runs."""
        if abs(self.throughput - 1) <= self.noise:
            return Verdict.NOISE
        return Verdict.FASTER if self.throughput > 1 else Verdict.SLOWER


@attrs.frozen
class Comparison:
    """The scenarios that both have, and what to keep in mind when reading them."""

    rows: tuple[Row, ...]
    notes: tuple[str, ...]


def compare(before: Report, after: Report) -> Comparison:
    """Match scenarios by name."""
    earlier = {scenario.name: scenario for scenario in before.scenarios}
    rows = [_row(earlier[scenario.name], scenario) for scenario in after.scenarios if scenario.name in earlier]
    return Comparison(tuple(rows), tuple(_notes(before, after)))


def _row(before: Scenario, after: Scenario) -> Row:
    return Row(
        name=after.name,
        throughput=_ratio(after.throughput, before.throughput),
        p50=_ratio(after.latency.p50, before.latency.p50),
        p99=_ratio(after.latency.p99, before.latency.p99),
        p99_9=_ratio(after.latency.p99_9, before.latency.p99_9),
        fuel=None if after.fuel is None or before.fuel is None else _ratio(after.fuel, before.fuel),
        noise=math.hypot(before.spread, after.spread),
    )


def _ratio(after: float, before: float) -> float:
    return after / before if before else math.inf if after else 1.0


def _notes(before: Report, after: Report) -> Iterator[str]:
    if before.sha256 != after.sha256:
        yield f"{before.subject} and {after.subject} are different code"
    for name in sorted({*before.machine, *after.machine}):
        first, second = before.machine.get(name, "?"), after.machine.get(name, "?")
        if first != second:
            yield f"{name}: {first} before, {second} after"
    names = {s.name for s in before.scenarios} ^ {s.name for s in after.scenarios}
    yield from (f"only in one of them: {name}" for name in sorted(names))
    if any(scenario.errors or scenario.unanswered for report in (before, after) for scenario in report.scenarios):
        yield "some messages ended in errors or had no answer: the times are of the others"
    yield "two runs at different times: what else the machine did is in both, and only repeating them tells how much"
