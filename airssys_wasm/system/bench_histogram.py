"""Latencies counted in buckets, so that a long run costs no memory and its tail stays exact to 0.8 % (pure).

The buckets are those of an HDR histogram: up to 256 ns one each, from there on 128 to every doubling.
"""

from collections import Counter
from collections.abc import Iterable
from typing import Final, final

_LINEAR_BITS: Final = 8
_PER_DOUBLING: Final = 1 << (_LINEAR_BITS - 1)


def bucket_of(nanoseconds: int) -> int:
    """The bucket that a duration falls into."""
    shift = nanoseconds.bit_length() - _LINEAR_BITS
    return nanoseconds if shift <= 0 else shift * _PER_DOUBLING + (nanoseconds >> shift)


def largest_in(bucket: int) -> int:
    """The longest duration, in nanoseconds, that falls into a bucket."""
    shift = max(0, bucket // _PER_DOUBLING - 1)
    return bucket if not shift else ((bucket - shift * _PER_DOUBLING + 1) << shift) - 1


@final
class Histogram:
    """Durations in nanoseconds: how many, how long, which share was within what."""

    def __init__(self, counts: Iterable[tuple[int, int]] = ()) -> None:
        self._counts: Counter[int] = Counter()
        self.count = self.total = self.longest = 0
        for nanoseconds, count in counts:
            self.record(nanoseconds, count)

    def record(self, nanoseconds: int, count: int = 1) -> None:
        """Count a duration; one that a clock made negative counts as none at all."""
        nanoseconds = max(0, nanoseconds)
        self._counts[bucket_of(nanoseconds)] += count
        self.count += count
        self.total += nanoseconds * count
        self.longest = max(self.longest, nanoseconds)

    @property
    def mean(self) -> float:
        """Nanoseconds; 0 without any."""
        return self.total / self.count if self.count else 0.0

    def percentile(self, share: float) -> int:
        """The shortest duration that at least this share, 0 to 1, of all are within; 0 without any."""
        needed, seen = max(1, -int(-share * self.count // 1)), 0
        for bucket in sorted(self._counts):
            seen += self._counts[bucket]
            if seen >= needed:
                return min(largest_in(bucket), self.longest)
        return 0

    def buckets(self) -> tuple[tuple[int, int], ...]:
        """The longest duration of each bucket that is not empty, and how many fell into it, shortest first."""
        return tuple((min(largest_in(bucket), self.longest), self._counts[bucket]) for bucket in sorted(self._counts))
