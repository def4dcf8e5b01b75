"""Lets a few through in each turn of the loop, so that thousands whose time comes at once do not hold it."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final, final

import attrs

IN_ONE_TURN: Final = 4
"""How many instances are woken in one turn; what each then does takes some 100 µs, spread over several turns."""


@final
@attrs.define(eq=False, repr=False)
class Turnstile:
    """First come, first served."""

    _waiting: deque[Callable[[], None]] = attrs.field(factory=deque, init=False)
    _is_turning: bool = attrs.field(default=False, init=False)

    def enter(self, work: Callable[[], None]) -> None:
        """Have it done soon: in the next turn, or behind those that came earlier."""
        self._waiting.append(work)
        if not self._is_turning:
            self._is_turning = True
            asyncio.get_running_loop().call_soon(self._turn)

    def _turn(self) -> None:
        for _ in range(min(IN_ONE_TURN, len(self._waiting))):
            self._waiting.popleft()()
        self._is_turning = bool(self._waiting)
        if self._is_turning:
            asyncio.get_running_loop().call_soon(self._turn)
