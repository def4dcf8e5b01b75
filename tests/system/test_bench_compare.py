"""Results as JSON, and two of them beside each other."""

import json

import attrs
import pytest

from airssys_wasm import ConfigError
from airssys_wasm.system.bench_compare import Verdict, compare
from airssys_wasm.system.bench_histogram import Histogram
from airssys_wasm.system.bench_result import Gauges, Latency, Report, Scenario, StageFigures

GAUGES = Gauges(0.1, 0.2, 0.3, 1, 2, 3)


def scenario(name: str, *windows: float, milliseconds: int = 1, fuel: float | None = None) -> Scenario:
    """A scenario with that throughput in each part of it, and one latency for all."""
    latency = Latency.of(Histogram([(milliseconds * 1_000_000, 100)]))
    mean = sum(windows) / len(windows)
    stages = (StageFigures("x/a", 100, latency, 0.5),)
    return Scenario(name, 100, {}, 0, 1.0, mean, windows, latency, GAUGES, 0.5, fuel, stages)


def report(*scenarios: Scenario, sha256: str = "00", **machine: str) -> Report:
    """A result."""
    return Report("x.wasm", sha256, machine, {"actors": "1"}, scenarios)


def test_a_result_survives_json() -> None:
    """Every field, the whole histogram included."""
    made = report(scenario("a", 1.0, 2.0, fuel=3.0), cores="2")
    assert made == Report.from_json("r.json", made.to_json())
    assert [[1_000_000, 100]] == json.loads(made.to_json())["scenarios"][0]["latency"]["buckets_ns"]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 1}', '{"format": 99}', "null"])
def test_what_is_no_result_is_refused_by_name(text: str) -> None:
    """No traceback of a JSON library."""
    with pytest.raises(ConfigError, match=r"r\.json is no result"):
        Report.from_json("r.json", text)


def test_ratios_are_after_to_before() -> None:
    """Of throughput, latencies and fuel, for the scenarios that both have."""
    before = report(scenario("a", 100, 100, fuel=50.0), scenario("b", 1))
    after = report(scenario("a", 200, 200, milliseconds=2, fuel=100.0), scenario("c", 1))
    found = compare(before, after)
    assert [("a", 2.0, 2.0, 2.0, 2.0, 2.0)] == [attrs.astuple(row)[:6] for row in found.rows]
    assert {"only in one of them: b", "only in one of them: c"} <= set(found.notes)


@pytest.mark.parametrize(
    ("before", "after", "verdict"),
    [
        ((100, 101, 99, 100), (200, 201, 199, 200), Verdict.FASTER),
        ((200, 201, 199, 200), (100, 101, 99, 100), Verdict.SLOWER),
        ((100, 150, 50, 100), (105, 160, 60, 120), Verdict.NOISE),
        ((100, 100), (100, 100), Verdict.NOISE),
    ],
)
def test_a_difference_has_to_be_larger_than_the_spread(
    before: tuple[float, ...], after: tuple[float, ...], verdict: Verdict
) -> None:
    """The spread within both runs together."""
    (row,) = compare(report(scenario("a", *before)), report(scenario("a", *after))).rows
    assert verdict == row.verdict


def test_what_makes_two_results_differ_besides_is_said() -> None:
    """Other code, another machine, and messages that failed."""
    failed = attrs.evolve(scenario("a", 1), errors={"Trap": 3})
    notes = compare(report(scenario("a", 1), cores="2"), report(failed, sha256="11", cores="4")).notes
    assert "x.wasm and x.wasm are different code" in notes
    assert "cores: 2 before, 4 after" in notes
    assert any("ended in errors" in note for note in notes)


def test_before_it_had_no_throughput() -> None:
    """No division by zero."""
    (row,) = compare(report(scenario("a", 0.0)), report(scenario("a", 5.0))).rows
    assert (float("inf"), Verdict.FASTER) == (row.throughput, row.verdict)
