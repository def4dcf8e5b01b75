"""Does every value of every WIT type come back as it went? `python -m benchmarks.round_trips [--examples N]`.

Each example is a type up to five levels deep, a component made for it that echoes it, and a value, sent as plain
Python, as the classes of typed calls, and by wasmtime-py's own conversion where that takes it.
"""

import argparse
import sys
import time

from hypothesis import HealthCheck, Phase, given, settings

from airssys_wasm.runtime.abi.types import WitType
from tests.runtime.test_round_trip import round_trip
from tests.runtime.values import deep_values


def main() -> None:
    """Run and report; the first value that does not come back is shown as small as it gets."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=10_000)
    examples: int = parser.parse_args().examples
    taken = [0, 0]
    started = time.perf_counter()

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    @given(deep_values())
    def run(typed: tuple[WitType, object]) -> None:
        taken[round_trip(*typed)] += 1

    run()
    seconds = time.perf_counter() - started
    sys.stdout.write(
        f"{sum(taken)} values came back as they went, in both forms; wasmtime-py took {taken[True]} of them and"
        f" agreed; {seconds:.0f} s\n"
    )


if __name__ == "__main__":
    main()
