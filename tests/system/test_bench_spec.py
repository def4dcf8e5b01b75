"""What a benchmark is told to do."""

import itertools
import json

import pytest

from airssys_wasm import ConfigError
from airssys_wasm.system.bench_spec import Arrivals, BenchSpec, PayloadKind, due_times, payload


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("concurrency", 0),
        ("concurrency", 1.5),
        ("actors", True),
        ("rate", 0),
        ("rate", float("nan")),
        ("duration", float("inf")),
        ("warm_up", -1),
        ("sizes", ()),
        ("sizes", (-1,)),
        ("sizes", (64, 1 << 40)),
        ("rate", 1e9),
    ],
)
def test_numbers_that_mean_nothing_are_refused(field: str, value: object) -> None:
    """The error names the field."""
    with pytest.raises(ConfigError, match=field):
        BenchSpec(**{field: value})  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [0, 1, 11, 12, 64, 4096])
def test_payloads_have_their_size_and_are_the_same_again(size: int) -> None:
    """Of both kinds; others for another seed, where there is room for that."""
    for kind in (PayloadKind.RANDOM, PayloadKind.ASCII):
        made = payload(kind, size, 1)
        assert (size, made) == (len(made), payload(kind, size, 1))
        assert size < 13 or made != payload(kind, size, 2)


def test_ascii_payloads_are_json() -> None:
    """As a component that parses them expects."""
    made = payload(PayloadKind.ASCII, 200, 1)
    assert made.isascii()
    assert {"text"} == set(json.loads(made))


def test_one_load_for_each_size_or_one_for_all_lines() -> None:
    """Their names are what results are matched by."""
    spec = BenchSpec(sizes=(0, 64), concurrency=4, actors=3)
    assert ["0 B random, 4 at a time, 3 actors", "64 B random, 4 at a time, 3 actors"] == [n for n, _ in spec.loads()]
    assert [("lines, 10/s", (b"a", b"b"))] == list(BenchSpec(lines=(b"a", b"b"), rate=10).loads())


def test_of_large_payloads_there_are_fewer() -> None:
    """They would fill the memory that is to be measured."""
    ((_, pool),) = BenchSpec(sizes=(30 << 20,)).loads()
    assert [30 << 20] * 2 == [len(made) for made in pool]


def test_due_times_are_even_or_as_of_independent_senders() -> None:
    """Both keep the rate; Poisson arrivals are the same for the same seed, and not even."""
    assert [0, 0.25, 0.5, 0.75] == list(itertools.islice(due_times(4, Arrivals.EVEN, 1), 4))
    times = list(itertools.islice(due_times(100, Arrivals.POISSON, 7), 10_001))
    assert times == sorted(times) == list(itertools.islice(due_times(100, Arrivals.POISSON, 7), 10_001))
    assert 100 == pytest.approx(times[-1], rel=0.1)
    distances = [after - before for before, after in itertools.pairwise(times)]
    assert 0.01 == pytest.approx(sum((d - 0.01) ** 2 for d in distances) ** 0.5 / 100, rel=0.2)
