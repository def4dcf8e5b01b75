"""A component as a node of a tree: what its branch asks of it, and what its branch hears of it."""

from typing import TYPE_CHECKING, final

import attrs

from airssys_wasm.actor import anew
from airssys_wasm.actor.child import Child
from airssys_wasm.core.config import Restart
from airssys_wasm.core.exits import ExitReason
from airssys_wasm.core.ids import ComponentId
from airssys_wasm.core.observations import ActorState

if TYPE_CHECKING:
    from airssys_wasm.actor.children import Children
    from airssys_wasm.actor.tree import Branch


@final
@attrs.define(eq=False, repr=False)
class Leaf:
    """A `Node`; the steps themselves are in `children.py`, which every component under a supervisor goes through."""

    child: Child
    branch: "Branch"
    children: "Children"

    @property
    def name(self) -> str:
        """Its id."""
        return str(self.child.id)

    @property
    def restart(self) -> Restart:
        """As its specification says."""
        return self.child.spec.policy.restart

    @property
    def up(self) -> bool:
        """Whether it has an instance, or is making one."""
        return self.child.actor is not None

    @property
    def running(self) -> bool:
        """Whether it has initialized, if only to fall asleep, and nobody wants it to end."""
        return self.child.state in {ActorState.RUNNING, ActorState.ASLEEP} and self.child.held is None

    @property
    def gone(self) -> bool:
        """Whether it is over for good."""
        return self.child.state is ActorState.STOPPED

    @property
    def blamed(self) -> ComponentId:
        """Itself."""
        return self.child.id

    def start(self) -> None:
        """Make an instance."""
        anew.begin_again(self.children, self.child)

    def hold(self, reason: ExitReason) -> None:
        """Have its instance end and keep its mailbox."""
        self.children.hold(self.child, reason)

    def stop(self, reason: ExitReason) -> None:
        """Have it end for good."""
        self.children.stop(self.child, reason)

    def kill(self, reason: ExitReason, *, for_good: bool) -> None:
        """End its instance now."""
        if for_good:
            self.children.kill(self.child, reason)
        else:
            self.children.hold(self.child, reason, now=True)

    def fail(self, reason: ExitReason) -> None:
        """Close its mailbox and keep its id."""
        self.children.fail(self.child, reason)

    def announce(self, reason: ExitReason, attempt: int, delay: float) -> None:
        """Tell observers."""
        self.children.announce(self.child, reason, attempt, delay)

    def has_started(self) -> None:
        """Its guest has initialized."""
        self.branch.look()

    def has_ended(self, reason: ExitReason, error: BaseException | None = None) -> None:
        """Its instance has ended; `error` is what those hear who wait for a start that has failed."""
        if self.child.held is None:
            self.branch.ended(self, reason, error)
        else:
            self.branch.look()

    def restarts(self, reason: ExitReason) -> bool:
        """Whether it is going to be started again after an end like this."""
        return self.branch.restarts(self, reason)

    def has_gone(self) -> None:
        """Nothing of it is left."""
        self.branch.forget(self)

    def may_wake(self) -> bool:
        """Whether its branch neither ends nor is about to start it in its turn."""
        return self.branch.lets_start(self)

    def hurry(self) -> None:
        """Somebody asked for it now: wait for no back-off, and revive what has failed above it."""
        if not self.branch.revive():
            self.branch.hurry(self)
