"""Runs chaos: seeds by the thousand, and of those that fail the fewest steps that do.

python -m tests.journeys.chaos_run 0 5000
"""

import asyncio
import random
import sys
from collections.abc import Sequence
from functools import partial
from typing import Final, NoReturn

from airssys_wasm import ActorHandle, ActorState, RequestTimeout
from airssys_wasm.testing.clock import settle
from benchmarks.soak_states import states
from tests.journeys.chaos import LEAVINGS, Chaos, Leaving, Step, plan
from tests.journeys.chaos_alone import looped
from tests.journeys.chaos_checks import check_the_end, odd
from tests.journeys.chaos_steps import ACTIONS, Steps

MOST_SHRUNKEN: Final = 3


def run(seed: int, steps: Sequence[Step] | None = None) -> tuple[Sequence[Step], Chaos]:
    """Run the steps of a seed, or others in their place."""
    steps = plan(seed, ACTIONS) if steps is None else steps
    chaos = Chaos(seed)
    looped(chaos, _run(chaos, steps))
    return steps, chaos


async def _run(chaos: Chaos, steps: Sequence[Step]) -> None:
    entered, leave = asyncio.Event(), asyncio.Event()
    how = chaos.dice.choice(LEAVINGS)
    living = asyncio.create_task(_live(chaos, entered, leave, how))
    await entered.wait()
    taking = Steps(chaos)
    await taking.start(random.Random(chaos.seed))
    for step in steps:
        await taking.take(step)
    if chaos.dice.random() < 0.7:
        await _calm(chaos)
    chaos.leaving = True
    if how == "unload":
        await _unload_all(chaos)
    leave.set()
    await settle()
    if how == "cancel":
        living.cancel()
    left = await chaos.until_over({living, *chaos.tasks})
    chaos.violations += [f"after leaving ({how}) has not ended: {chaos.tasks.get(task, 'leaving')}" for task in left]
    if left:
        chaos.violations += states(chaos.system)
    for task in left:
        task.cancel()
    if not left:
        check_the_end(chaos)


async def _live(chaos: Chaos, entered: asyncio.Event, leave: asyncio.Event, how: str) -> None:
    try:
        async with chaos.system:
            entered.set()
            await leave.wait()
            if how == "kill":
                _leave()
    except (Leaving, asyncio.CancelledError):
        chaos.trace.append(how)
    except Exception as exc:  # noqa: BLE001 - nothing else may come out
        chaos.violations.append(f"leaving raised {exc!r}")


def _leave() -> NoReturn:
    raise Leaving


async def _calm(chaos: Chaos) -> None:
    """Whatever is under way ends once there is time for it, and what lives answers or refuses."""
    left = await chaos.until_over(set(chaos.tasks) - chaos.lasting)
    chaos.violations += [f"has not ended: {chaos.tasks[task]}" for task in left]
    chaos.violations += states(chaos.system) if left else []
    await chaos.until_over(set())
    await chaos.clock.advance(30.0)  # goodbyes that nobody waits for
    chaos.resume()
    await chaos.clock.advance(30.0)
    for child in [*chaos.system._parts().supervisor._children.all]:
        chaos.violations += odd(child)
    for handle in [*chaos.handles.values()]:
        chaos.begin(f"last ask {handle.id}", partial(_last_ask, chaos, handle))
    await chaos.until_over(set(chaos.tasks) - chaos.lasting)


async def _last_ask(chaos: Chaos, handle: ActorHandle) -> None:
    before = handle.statistics()
    number, payload = chaos.new("echo", "-", handle.id, "host")
    ends = chaos.account.ends.setdefault((number, handle.id), [])
    try:
        await handle.ask(payload, timeout=100.0)
    except RequestTimeout as exc:
        after = handle.statistics()
        stays = (before.restarts, before.rollbacks) == (after.restarts, after.rollbacks)
        if stays and after.state in {ActorState.RUNNING, ActorState.ASLEEP}:
            chaos.violations.append(f"{handle.id} is deaf: {after}")
        ends.append(exc)
        raise
    except BaseException as exc:
        ends.append(exc)
        raise
    ends.append(None)


async def _unload_all(chaos: Chaos) -> None:
    for handle in [*chaos.handles.values()]:
        chaos.begin(f"unload {handle.id}", partial(chaos.system.unload, handle))
    left = await chaos.until_over(set(chaos.tasks) - chaos.lasting)
    chaos.violations += [f"has not ended: {chaos.tasks[task]}" for task in left]


def fewest(seed: int, steps: Sequence[Step]) -> list[Step]:
    """Leave out what is not needed for a seed to fail: halves, quarters and so on."""
    left, size = list(steps), max(1, len(steps) // 2)
    while size:
        start = 0
        while start < len(left):
            without = left[:start] + left[start + size :]
            if run(seed, without)[1].violations:
                left = without
            else:
                start += size
        size //= 2
    return left


def main() -> int:
    """Run the seeds from the first argument up to the second, or the first alone."""
    first, last = int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else int(sys.argv[1]) + 1
    bad = 0
    for seed in range(first, last):
        steps, chaos = run(seed)
        if chaos.violations:
            bad += 1
            _show(f"seed {seed}: {chaos.violations[:4]}")
            if bad <= MOST_SHRUNKEN:
                left = fewest(seed, steps)
                _show(f"  {left}\n  {run(seed, left)[1].violations}")
    _show(f"{bad} of {last - first} seeds failed")
    return bool(bad)


def _show(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
