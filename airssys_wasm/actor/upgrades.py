"""Replaces the binary of a component while it serves.

    run:  start and initialize beside ─► old: finish the message, step aside ─► save-state ─► load-state ─► swap

`run` is the task of whoever asked for it; what it does to the component it does in single steps, as the supervisor's
own task does, and none of them waits. Until the swap the old instance has lost nothing: it goes on when anything fails.
What becomes of it afterwards is in `beside.py`.
"""

import asyncio
import contextlib
import time
from collections.abc import Iterator
from typing import Any, final

import anyio
import attrs

from airssys_wasm.actor import anew
from airssys_wasm.actor.actor import ComponentActor
from airssys_wasm.actor.aside import Aside, NotAside
from airssys_wasm.actor.child import Child
from airssys_wasm.actor.children import Children
from airssys_wasm.actor.lost import start_error
from airssys_wasm.actor.upgrade import Moment, Upgrade, hands_over, moment
from airssys_wasm.core.errors import ActorStopped
from airssys_wasm.core.messages import (
    CONTENT_TYPE_LOAD_STATE,
    CONTENT_TYPE_SAVE_STATE,
    ComponentMessage,
    MessageMetadata,
    MessagePayload,
)
from airssys_wasm.core.observations import ActorState
from airssys_wasm.core.upgrades import UpgradeFailed, UpgradeUnderWay


@contextlib.contextmanager
def under_way(child: Child, upgrade: Upgrade) -> Iterator[None]:
    """Keep a component for one upgrade.

    Raises:
        UpgradeUnderWay: There is one already.
        ActorStopped: The component is gone, or on its way.
    """
    _check_stays(child)
    if child.upgrade is not None:
        raise UpgradeUnderWay(child.id)
    child.upgrade = upgrade
    try:
        yield
    finally:
        child.upgrade = None


@final
@attrs.frozen(eq=False, repr=False)
class Upgrades:
    """The upgrades of one supervisor's children."""

    children: Children

    async def run(self, child: Child, upgrade: Upgrade, compiled: Any) -> None:
        """Replace a component that is kept for this upgrade.

        Args:
            child: which one.
            upgrade: what `under_way` was given.
            compiled: what its host made of the new binary.

        Raises:
            ActorStopped: The component was stopped meanwhile.
            InstantiationFailed: The new one could not be started, or `initialize` failed.
            UpgradeFailed: The state could not be handed over; the cause says why.
            AirssysError: What else its host found wrong with the new one.

        Cancellation: before the swap nothing has changed, and the new instance is closed; after it, it has happened.
        """
        _check_stays(child)
        successor, aside = self._begin_beside(child, upgrade, compiled)
        try:
            await aside.arrival()
            while not upgrade.done:
                await self._attempt(child, upgrade, successor, aside)
        finally:
            if not upgrade.done:
                upgrade.placed = False
                successor.kill()
                with anyio.CancelScope(shield=True):
                    await aside.end_of_actor()
                child.beside.pop(successor, None)
        await upgrade.owned.wait()

    def _begin_beside(self, child: Child, upgrade: Upgrade, compiled: Any) -> tuple[ComponentActor, Aside]:
        children, aside = self.children, Aside()
        spec = attrs.evolve(child.spec, compiled=compiled)
        successor = upgrade.successor = ComponentActor(child, children.host, children.clock, spec, aside)
        children.live(successor, f"{child.handle} (next)")
        child.beside[successor] = None
        return successor, aside

    async def _attempt(self, child: Child, upgrade: Upgrade, new: ComponentActor, aside: Aside) -> None:
        """Do what can be done now; the loop of `run` looks again."""
        upgrade.changed.clear()
        if not aside.waits():
            raise start_error(child, await aside.end_of_actor())
        match moment(child.state, has_actor=child.actor is not None, is_held=child.held is not None):
            case Moment.TAKE_OVER if child.actor is not None:
                await self._take_over(child, upgrade, child.actor, new)
            case Moment.TAKE_THE_PLACE:
                upgrade.placed = True
                started: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                anew.restart(self.children, child, started)
                await started
            case Moment.GIVE_UP:
                raise ActorStopped(child.id, child.reason)
            case _:
                await upgrade.changed.wait()

    async def _take_over(self, child: Child, upgrade: Upgrade, old: ComponentActor, new: ComponentActor) -> None:
        """Swap at a message boundary, unless the old one ends before it comes to that."""
        aside = old.step_aside()
        try:
            if await aside.arrival() and await _state_is_handed(child, upgrade, aside, old, new):
                self.children.beside.swap(child, upgrade, old, new)
        finally:
            if not upgrade.done:
                aside.go_on()
        if not upgrade.done:
            await upgrade.changed.wait()


async def _state_is_handed(
    child: Child, upgrade: Upgrade, aside: Aside, old: ComponentActor, new: ComponentActor
) -> bool:
    """Give the state of the one to the other, if both are made for it; whether both are still aside."""
    next_aside = new.aside
    if next_aside is None:
        return False
    if hands_over(old.metadata, new.metadata):
        state = await _asked(child, "save-state", aside, _control(upgrade, CONTENT_TYPE_SAVE_STATE, b""))
        if state is not None and aside.waits():
            await _asked(child, "load-state", next_aside, _control(upgrade, CONTENT_TYPE_LOAD_STATE, state))
            if not aside.waits():
                _check_stays(child)
                raise UpgradeFailed(child.id, "the old one was restarted after it had saved its state")
    return aside.waits() and next_aside.waits()


async def _asked(child: Child, what: str, aside: Aside, message: ComponentMessage) -> bytes | None:
    """The answer to a control message; None also when the instance is about to end."""
    try:
        return await aside.ask(message)
    except NotAside:
        return None
    except Exception as exc:
        raise UpgradeFailed(child.id, f"{what} ended with {exc}") from exc


def _control(upgrade: Upgrade, content_type: str, payload: bytes) -> ComponentMessage:
    stamp = MessageMetadata(None, upgrade.sender, time.time_ns() // 1_000_000, content_type)
    return ComponentMessage(upgrade.sender, MessagePayload(payload), stamp)


def _check_stays(child: Child) -> None:
    if child.state in {ActorState.STOPPING, ActorState.STOPPED}:
        raise ActorStopped(child.id, child.reason)
