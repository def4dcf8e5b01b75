"""The histogram of a benchmark."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airssys_wasm.system.bench_histogram import Histogram, bucket_of, largest_in

durations = st.integers(0, 10**13)


@given(durations)
def test_a_bucket_is_at_most_an_128th_wide(nanoseconds: int) -> None:
    """What a bucket shows is never less than what fell into it, and hardly more."""
    shown = largest_in(bucket_of(nanoseconds))
    assert nanoseconds <= shown <= nanoseconds * (1 + 1 / 128)
    assert bucket_of(nanoseconds) == bucket_of(shown)


@given(durations)
def test_buckets_follow_each_other(nanoseconds: int) -> None:
    """No gap and no overlap: the next duration is in the same bucket or in the next one."""
    assert bucket_of(nanoseconds + 1) - bucket_of(nanoseconds) in {0, 1}


@given(st.lists(durations, min_size=1), st.floats(0, 1))
def test_percentiles_are_those_of_the_sorted_list(taken: list[int], share: float) -> None:
    """The nearest rank, to the width of a bucket."""
    histogram = Histogram()
    for duration in taken:
        histogram.record(duration)
    exact = sorted(taken)[max(1, math.ceil(share * len(taken))) - 1]
    assert exact <= histogram.percentile(share) <= exact * (1 + 1 / 128)
    assert (len(taken), max(taken)) == (histogram.count, histogram.longest)
    assert sum(taken) / len(taken) == pytest.approx(histogram.mean)
    assert len(taken) == sum(count for _, count in histogram.buckets())


def test_an_empty_one_and_a_clock_that_went_back() -> None:
    """Nothing is 0; less than nothing counts as 0."""
    histogram = Histogram()
    assert (0, 0.0, ()) == (histogram.percentile(0.5), histogram.mean, histogram.buckets())
    histogram.record(-5)
    assert (1, 0) == (histogram.count, histogram.percentile(1.0))
