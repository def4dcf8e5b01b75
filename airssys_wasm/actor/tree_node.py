"""What the parts of a tree are to one another: nodes below a branch, and what a branch hangs on (pure)."""

from typing import Protocol

from airssys_wasm.core.config import Restart
from airssys_wasm.core.exits import ExitReason
from airssys_wasm.core.ids import ComponentId


class Node(Protocol):
    """A child of a branch: a component, or another branch. What it is asked to do begins at once and ends later."""

    def __hash__(self) -> int: ...

    @property
    def name(self) -> str:
        """What events call it."""
        ...

    @property
    def restart(self) -> Restart:
        """Whether it is started again after an end of its own."""
        ...

    @property
    def up(self) -> bool:
        """Whether there is something of it to be stopped."""
        ...

    @property
    def running(self) -> bool:
        """Whether it has started, with all that belongs to it."""
        ...

    @property
    def gone(self) -> bool:
        """Whether it is over for good."""
        ...

    @property
    def blamed(self) -> ComponentId | None:
        """The component whose end was one too many, when it gave up; a component is to blame itself."""
        ...

    def start(self) -> None:
        """Begin to start, for the first time or again."""
        ...

    def hold(self, reason: ExitReason) -> None:
        """Begin to end, so that it can be started again."""
        ...

    def stop(self, reason: ExitReason) -> None:
        """Begin to end for good."""
        ...

    def kill(self, reason: ExitReason, *, for_good: bool) -> None:
        """End now, for good or so that it can be started again."""
        ...

    def fail(self, reason: ExitReason) -> None:
        """It is down and stays so until somebody revives it."""
        ...

    def announce(self, reason: ExitReason, attempt: int, delay: float) -> None:
        """Tell observers that it is going to be started again."""
        ...


class Above(Protocol):
    """What a branch hangs on: another branch, or the root of the tree."""

    def look(self) -> None:
        """Something about a branch below has changed."""
        ...

    def ended(self, node: Node, reason: ExitReason, error: BaseException | None = None) -> None:
        """A branch below has ended by itself."""
        ...

    def forget(self, node: Node) -> None:
        """Nothing of a branch below is left."""
        ...

    def hurry(self, node: Node) -> bool:
        """A branch below is wanted now; whether it was to be started anyway."""
        ...

    def revive(self) -> bool:
        """Start again what has failed, from as far up as it has; whether anything had."""
        ...

    def gave_up(self, path: str, blamed: ComponentId | None, reason: ExitReason) -> None:
        """Tell observers that a branch below gives up."""
        ...
