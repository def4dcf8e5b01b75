"""A whole tree of supervisors as its owner sees it: started or not at all, running, failed, gone."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final, final

import attrs

from airssys_wasm.actor.child import Child, ChildSpec
from airssys_wasm.actor.tree import Branch
from airssys_wasm.actor.tree_leaf import Leaf
from airssys_wasm.actor.tree_node import Node
from airssys_wasm.actor.tree_spec import SupervisorSpec
from airssys_wasm.actor.waiters import Waiters
from airssys_wasm.core.errors import ActorStopped, InstantiationFailed
from airssys_wasm.core.exits import ExitKind, ExitReason
from airssys_wasm.core.ids import ComponentId
from airssys_wasm.core.observations import ActorState, Event, EventKind

if TYPE_CHECKING:
    from airssys_wasm.actor.children import Children

NEVER_STARTED: Final = ExitReason(ExitKind.STOPPED, "its supervisor did not start")


@final
@attrs.define(eq=False, repr=False)
class Tree:
    """What the topmost branch hangs on.

    A first start that fails leaves nothing behind. Later, a branch at the top that gives up has failed: its components
    keep their ids, and `start` begins anew.
    """

    spec: SupervisorSpec[ChildSpec]
    children: "Children"
    branch: Branch = attrs.field(init=False)
    reason: ExitReason | None = attrs.field(default=None, init=False)
    starting: Waiters = attrs.field(factory=Waiters, init=False)
    ending: Waiters = attrs.field(factory=Waiters, init=False)
    _was_up: bool = attrs.field(default=False, init=False)
    _error: BaseException | None = attrs.field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        self.branch = self._grow(self.spec, self, "")

    @property
    def state(self) -> ActorState:
        """In the words of an actor's life."""
        if self.gone:
            return ActorState.STOPPED
        if self.branch.failed:
            return ActorState.FAILED
        if self.branch.running:
            return ActorState.RUNNING
        return ActorState.RESTARTING if self._was_up else ActorState.STARTING

    @property
    def gone(self) -> bool:
        """Whether nothing of it is left."""
        return self.branch.gone

    def leaves(self, branch: Branch | None = None) -> Iterator[Child]:
        """The components that are not gone, in start order."""
        for member in (branch or self.branch).members:
            if isinstance(member, Branch):
                yield from self.leaves(member)
            elif isinstance(member, Leaf):
                yield member.child

    def start(self) -> None:
        """Start all, for the first time or after it failed; nothing while it is up or when it is gone."""
        if not self.branch.up and not self.gone:
            self.reason = self._error = None
            self.branch.start()

    def stop(self, reason: ExitReason) -> None:
        """Stop all for good, in reverse start order."""
        if not self.gone:
            self.reason = self.reason or reason
            self.branch.stop(reason)

    def kill(self, reason: ExitReason) -> None:
        """End all for good, now."""
        if not self.gone:
            self.reason = self.reason or reason
            self.branch.kill(reason, for_good=True)

    def look(self) -> None:
        """All have started."""
        if self.branch.running:
            self._was_up = True
            self.starting.settle()

    def ended(self, node: Node, reason: ExitReason, error: BaseException | None = None) -> None:
        """The topmost branch gave up, or could not start."""
        self.reason, self._error = reason, error
        if not self._was_up:
            self.branch.stop(NEVER_STARTED)
            return
        self.branch.fail(reason)
        self.starting.settle(error or self._not_started(reason, node.blamed))
        self.ending.settle()
        if node.blamed is not None:
            self.children.on_failed(node.blamed, reason)

    def forget(self, node: Node) -> None:
        """Nothing of it is left."""
        self.children.tops.pop(self, None)
        self.starting.settle(self._error or self._not_started(self.reason or NEVER_STARTED, node.blamed))
        self.ending.settle()

    def abandon(self, reason: ExitReason) -> None:
        """The supervisor itself is being torn down."""
        self.reason = self.reason or reason
        self.branch.abandon()
        self.starting.settle(self._not_started(self.reason))
        self.ending.settle()

    def hurry(self, node: Node) -> bool:
        """Nothing here waits for a back-off."""
        return False

    def revive(self) -> bool:
        """Nothing above the topmost branch can have failed."""
        return False

    def gave_up(self, path: str, blamed: ComponentId | None, reason: ExitReason) -> None:
        """Tell observers."""
        if blamed is not None:
            self.children.observer.event(Event(EventKind.GAVE_UP, blamed, reason, supervisor=path))

    def _not_started(self, reason: ExitReason, blamed: ComponentId | None = None) -> BaseException:
        """What those hear who wait for a start that will not come."""
        if reason.kind is ExitKind.STOPPED:
            return ActorStopped(next(self.spec.components()).id, reason)
        return InstantiationFailed(str(reason), blamed)

    def _grow(self, spec: SupervisorSpec[Any], above: "Tree | Branch", path: str) -> Branch:
        children = self.children
        branch = Branch(spec, above, f"{path}{spec.name}", children.clock, children.post)
        for child in spec.children:
            if isinstance(child, SupervisorSpec):
                branch.members.append(self._grow(child, branch, f"{branch.path}/"))
            else:
                branch.members.append(children.new_in(branch, child))
        return branch
