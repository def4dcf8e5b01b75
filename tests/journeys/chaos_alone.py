"""A loop in which nothing depends on the machine: not on its time, not on what it is busy with, not on its dice."""

import asyncio
import contextlib
import itertools
import logging
from collections.abc import Coroutine, Iterator
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from airssys_wasm.actor.child import Child, ChildSpec
from airssys_wasm.actor.children import Children
from airssys_wasm.testing.clock import ManualClock
from tests.journeys.chaos import Chaos
from tests.journeys.chaos_guests import SlowStorage


class _Loop(asyncio.SelectorEventLoop):
    """A loop that goes by a manual clock."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__()
        self.clock = clock

    def time(self) -> float:
        """Seconds, as far as the clock was moved."""
        return self.clock.time()


def looped(chaos: Chaos, doing: Coroutine[Any, Any, None]) -> None:
    """Run in a loop that goes by the clock of a chaos, with nothing else that it could depend on."""
    with _alone(chaos), asyncio.Runner(loop_factory=lambda: _Loop(chaos.clock), debug=False) as runner:
        runner.run(doing)


@contextlib.contextmanager
def _alone(chaos: Chaos) -> Iterator[None]:
    ids, looks = itertools.count(), itertools.count()
    machine = SimpleNamespace(monotonic=lambda: next(looks) * 0.0001)
    logger = logging.getLogger("airssys_wasm")
    level = logger.level

    new = Children._new

    def remembered(children: Children, spec: ChildSpec) -> Child:
        child = new(children, spec)
        chaos.children[child] = None
        return child

    async def storage(*_: object) -> SlowStorage:
        return SlowStorage(chaos.clock, chaos.seed)

    with (
        patch("airssys_wasm.actor.actor.time", machine),
        patch("airssys_wasm.messaging.pace.time", machine),
        patch("airssys_wasm.messaging.router.new_correlation_id", lambda: f"{next(ids):08}"),
        patch("airssys_wasm.system.builder.open_storage", storage),
        patch.object(Children, "_new", remembered),
    ):
        logger.setLevel(logging.CRITICAL + 1)
        try:
            yield
        finally:
            logger.setLevel(level)
