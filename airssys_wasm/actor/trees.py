"""The trees under one supervisor: started, restarted and stopped as wholes."""

import asyncio
from functools import partial
from typing import Final, Protocol, final

import anyio
import attrs

from airssys_wasm.actor.child import ChildSpec
from airssys_wasm.actor.children import UNLOADED, Children
from airssys_wasm.actor.tree_root import Tree
from airssys_wasm.actor.tree_spec import SupervisorSpec
from airssys_wasm.core.errors import InstantiationFailed
from airssys_wasm.core.exits import ExitKind, ExitReason
from airssys_wasm.core.observations import ActorState

CANCELLED: Final = ExitReason(ExitKind.STOPPED, "its start was cancelled")


class Closing(Protocol):
    """What a supervisor says of itself."""

    def check_open(self, spec: ChildSpec) -> None:
        """Refuse a child once it is closing; raises ActorStopped."""
        ...


@final
@attrs.frozen(eq=False, repr=False)
class Trees:
    """Callers' commands, which the supervisor's task carries out."""

    children: Children
    supervisor: Closing

    async def start(self, spec: SupervisorSpec[ChildSpec]) -> Tree:
        """Start a tree, one component after the other.

        Returns:
            The tree, once all have initialized.

        Raises:
            InstantiationFailed: One could not be started; those before it were stopped in reverse, nothing is left.
            ActorStopped: The supervisor is closing.
            AirssysError: What else its host found wrong with one.

        Cancellation: what has started is killed, and nothing is left.
        """
        for component in spec.components():
            self.supervisor.check_open(component)
        tree = Tree(spec, self.children)
        self.children.tops[tree] = None
        started = tree.starting.join()
        self.children.post(tree.start)
        try:
            await started
        except asyncio.CancelledError:
            self.children.post(partial(tree.kill, CANCELLED))
            with anyio.CancelScope(shield=True):
                await self._until_gone(tree)
            raise
        return tree

    async def restart(self, tree: Tree) -> None:
        """Start a tree that has failed anew; nothing while it is up.

        Raises:
            AirssysError: It could not be started, or is gone.

        Cancellation: the start goes on.
        """
        if tree.gone:
            raise InstantiationFailed(f"{tree.spec.name} is gone: {tree.reason}")
        started = tree.starting.join()
        self.children.post(tree.start)
        self.children.post(tree.look)
        await started

    async def stop(self, tree: Tree, *, drain: bool = False) -> None:
        """Stop a tree for good and wait until it is gone; silent when it is already. Cancellation: it goes on.

        Args:
            tree: which one.
            drain: whether each component handles what waits in its mailbox first, within its own grace period.
        """
        for child in tree.leaves():
            child.drain |= drain
        self.children.post(partial(tree.stop, UNLOADED))
        await self._until_gone(tree)

    async def wait_stopped(self, tree: Tree) -> ExitReason:
        """Wait until a tree is gone or has failed; returns how it ended."""
        while tree.state not in {ActorState.STOPPED, ActorState.FAILED}:
            await tree.ending.join()
        return tree.reason or UNLOADED

    async def _until_gone(self, tree: Tree) -> None:
        while not tree.gone:
            await tree.ending.join()
