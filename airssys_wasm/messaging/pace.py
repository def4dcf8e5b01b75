"""Long work of our own that never has to wait: it still lets the loop run others in between."""

import asyncio
import time
from typing import final

from airssys_wasm.actor.actor import TURN_SECONDS


@final
class Pace:
    """Of one piece of work: `breathe` in each of its rounds gives the loop a turn every `TURN_SECONDS`."""

    def __init__(self) -> None:
        self._turn = time.monotonic()

    async def breathe(self) -> None:
        """Let others run, if it is time. Cancellation: the work ends between two rounds."""
        if time.monotonic() - self._turn >= TURN_SECONDS:
            await asyncio.sleep(0)
            self._turn = time.monotonic()
