"""What a benchmark is to do: payloads, load, time (pure)."""

import itertools
import json
import math
import random
import string
from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import Any, Final

import attrs

from airssys_wasm.core.config import Execution
from airssys_wasm.core.errors import ConfigError
from airssys_wasm.core.limits import MIB

POOL: Final = 16
"""Different payloads of a scenario, sent in turn: no cache and no branch predictor learns one by heart."""

POOL_BYTES: Final = 64 * MIB
"""Of all of them together, so that there are fewer large ones."""

MOST_MESSAGES: Final = 10_000_000
"""Of an open loop: the due times of those that a rate beyond all measure would leave waiting are kept."""

_WORDS: Final = string.ascii_letters + string.digits + "    "


class PayloadKind(StrEnum):
    """What payloads are made of: any bytes, or JSON text in ASCII."""

    RANDOM = "random"
    ASCII = "ascii"


class Arrivals(StrEnum):
    """When messages are sent in an open loop: at even distances, or as independent senders would (exponential)."""

    EVEN = "even"
    POISSON = "poisson"


def _check_positive(_instance: "BenchSpec", attribute: "attrs.Attribute[Any]", value: Any) -> None:
    whole = attribute.name in {"concurrency", "actors"}
    if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
        raise ConfigError(attribute.name, value, f"is not a {'whole ' if whole else ''}number")
    if not (math.isfinite(value) and value > 0):
        raise ConfigError(attribute.name, value, "is not positive and finite")


def _check_sizes(_instance: "BenchSpec", _attribute: "attrs.Attribute[Any]", value: Sequence[int]) -> None:
    if not value or any(isinstance(size, bool) or not isinstance(size, int) or size < 0 for size in value):
        raise ConfigError("sizes", value, "are not one or more numbers of bytes")
    if max(value) > POOL_BYTES:
        raise ConfigError("sizes", max(value), f"are over {POOL_BYTES} bytes")


@attrs.frozen(kw_only=True)
class BenchSpec:
    """The load on one component or pipeline; one scenario for each size.

    | field | is |
    |---|---|
    | sizes, kind | bytes of a payload, and what they are |
    | lines | the payloads, in turn, instead of made ones |
    | concurrency | askers at a time; in an open loop the most that may be under way |
    | rate | messages a second, whether or not earlier ones are answered; None: each asker waits for its answer |
    | warm_up, duration | seconds |
    | actors | instances of the component, asked in turn |
    | fuel | whether the fuel of a message is counted, in a short run of its own |

    Raises:
        ConfigError: A number is not one, or not positive.
    """

    sizes: tuple[int, ...] = attrs.field(default=(64,), validator=_check_sizes)
    kind: PayloadKind = PayloadKind.RANDOM
    lines: tuple[bytes, ...] = attrs.field(default=(), repr=lambda lines: f"{len(lines)} lines")
    concurrency: int = attrs.field(default=1, validator=_check_positive)
    rate: float | None = attrs.field(default=None, validator=attrs.validators.optional(_check_positive))
    arrivals: Arrivals = Arrivals.EVEN
    warm_up: float = attrs.field(default=1.0, validator=_check_positive)
    duration: float = attrs.field(default=5.0, validator=_check_positive)
    actors: int = attrs.field(default=1, validator=_check_positive)
    execution: Execution = Execution.AUTO
    config: str | None = None
    fuel: bool = False
    seed: int = 1

    def __attrs_post_init__(self) -> None:
        if self.rate is not None and self.rate * max(self.duration, self.warm_up) > MOST_MESSAGES:
            raise ConfigError("rate", self.rate, f"would be more than {MOST_MESSAGES} messages in the time")

    def loads(self) -> "Iterator[tuple[str, tuple[bytes, ...]]]":
        """Each scenario's name, the same for the same settings, and its payloads."""
        how = f"{self.concurrency} at a time" if self.rate is None else f"{self.rate:g}/s"
        where = "" if self.actors == 1 else f", {self.actors} actors"
        if self.lines:
            yield f"lines, {how}{where}", self.lines
            return
        for size in self.sizes:
            many = max(1, min(POOL, POOL_BYTES // max(1, size)))
            pool = tuple(payload(self.kind, size, self.seed + number) for number in range(many))
            yield f"{size} B {self.kind}, {how}{where}", pool


def payload(kind: PayloadKind, size: int, seed: int) -> bytes:
    """So many bytes, the same for the same seed: truly random ones, or a JSON string of letters, digits and blanks."""
    source = random.Random(seed)  # noqa: S311 - it guards nothing
    if kind is PayloadKind.RANDOM:
        return source.randbytes(size)
    text = json.dumps({"text": "".join(source.choices(_WORDS, k=max(0, size - 12)))})
    return text.encode().ljust(size)[:size]


def due_times(rate: float, arrivals: Arrivals, seed: int) -> Iterator[float]:
    """When each message of an open loop is to be sent, in seconds from the start; without an end.

    The times do not depend on how long answers take: a stall then shows in the latencies of all messages that should
    have been sent during it, not of one alone (coordinated omission).
    """
    if arrivals is Arrivals.EVEN:
        yield from (number / rate for number in itertools.count())
    source, due = random.Random(seed), 0.0  # noqa: S311 - it guards nothing
    while True:
        yield due
        due += source.expovariate(rate)
