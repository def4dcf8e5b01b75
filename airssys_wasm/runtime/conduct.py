"""What is known of a component's code: whether its calls let go of the loop in time (pure).

Epochs do not interrupt the copying of a large value or a bulk memory instruction, and nobody can tell from outside
that a call is going to do one. So trust is earned: the first calls of a component run on a worker thread, one that
holds on for long goes back there for a number of calls that doubles each time. All instances share the record, so a
component that is loaded often is unknown only once.
"""

from typing import Final

import attrs

from airssys_wasm.runtime.ticker import TICK

PROBATION_CALLS: Final = 5
"""Calls on a thread before a component may run on the loop: its start, `initialize`, `metadata`, and two messages."""

_SUSPECTED: Final = 3
"""Calls on a thread for each step on the loop that may have been too long."""

LONG_STEP: Final = 2 * TICK
"""Seconds in one step that cannot be put down to a slice."""

LARGE_FRAME_BYTES: Final = 512 * 1024
"""Payload whose copying as one block takes about half a tick; such calls go to a thread. Component values show on the
way how large they are (`abi/pace.py`)."""

_FIRST_SENTENCE: Final = 8
_MAX_SENTENCE: Final = 1024
_MAX_SUSPICION: Final = 64


@attrs.define(eq=False)
class Conduct:
    """The record of one component's code.

    | seen | then |
    |---|---|
    | a long step on a thread, in the thread's own time | 8 calls on a thread, twice as many each time, at most 1,024 |
    | a long step anywhere that brought a large answer | the same |
    | a long step on the loop, in the loop's own time | 3 calls on a thread, 3 more each time, at most 64 |

    A step that the machine preempted is not long. The loop's own time also has a garbage collection in it that fell
    into the step, which is longest where the application is large, so there it is a suspicion only.
    """

    probation: int = PROBATION_CALLS
    _sentence: int = _FIRST_SENTENCE
    _suspicion: int = 0

    @property
    def needs_thread(self) -> bool:
        """Whether the next call should run on a thread from the start."""
        return self.probation > 0

    def record(self, longest_step: float, *, on_thread: bool) -> None:
        """Note how a call went: its longest step in seconds of its thread's time, with the reading of its answer."""
        if longest_step <= LONG_STEP:
            if self.probation:
                self.probation -= 1
        elif on_thread:
            self.probation = max(self.probation, self._sentence)
            self._sentence = min(2 * self._sentence, _MAX_SENTENCE)
        else:
            self._suspicion = min(self._suspicion + _SUSPECTED, _MAX_SUSPICION)
            self.probation = self._suspicion
