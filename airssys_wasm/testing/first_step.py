"""The first step of a coroutine, made by whoever has it, and the rest, which another task goes on with."""

from collections.abc import Callable, Coroutine, Generator
from functools import partial
from typing import Any, final


@final
class FirstStep:
    """A coroutine that has run up to where it first waits, in the task that made this; `await` it for the rest.

    What it does in that step must not depend on the task that runs it: no timeout and no cancel scope may be entered.

    Raises:
        Exception: The coroutine has raised it in this step.
    """

    def __init__(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        self._coroutine = coroutine
        self.ended, self.value, self._waits_for = False, None, None
        try:
            self._waits_for = coroutine.send(None)
        except StopIteration as stop:
            self.ended, self.value = True, stop.value

    def __await__(self) -> Generator[Any, Any, Any]:
        """Go on with it; its value."""
        waits_for = self._waits_for
        while True:
            go_on: Callable[[], Any]
            try:
                go_on = partial(self._coroutine.send, (yield waits_for))
            except GeneratorExit:
                self.close()
                raise
            except BaseException as exc:  # noqa: BLE001 - it is thrown on to where it belongs
                go_on = partial(self._coroutine.throw, exc)
            try:
                waits_for = go_on()
            except StopIteration as stop:
                return stop.value

    def close(self) -> None:
        """End it where it waits; nothing when it has ended."""
        self._coroutine.close()
