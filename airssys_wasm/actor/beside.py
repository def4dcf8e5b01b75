"""The instances of a component that live beside the one that serves: the next one, the old one, one that says goodbye.

| step | does |
|---|---|
| swap | the next instance serves; the one before waits aside for the end of the probation |
| place | the same for a component without an instance, which is about to be started |
| accept | the probation is over: the old instance gets its `shutdown`, and ends |
| rolled_back | the old instance serves again, from the state that it had; or the old binary is what is started |
| stop, kill | of the component: the next instance is killed; the old one gets its `shutdown`, or is killed too |

As all steps with a child, none waits.
"""

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final, final

import attrs

from airssys_wasm.actor.child import Child
from airssys_wasm.actor.lifecycle import LifecycleEvent
from airssys_wasm.actor.orders import Order
from airssys_wasm.actor.restarts import RestartAfter, RestartWindow, plan
from airssys_wasm.actor.upgrade import OnProbation, Upgrade
from airssys_wasm.core.errors import AirssysError
from airssys_wasm.core.exits import ExitReason
from airssys_wasm.core.observations import ActorState, Event, EventKind
from airssys_wasm.core.ports import Timer

if TYPE_CHECKING:
    from airssys_wasm.actor.actor import ComponentActor
    from airssys_wasm.actor.children import Children

_log: Final = logging.getLogger(__name__)


@final
@attrs.define(eq=False, repr=False)
class Beside:
    """What a supervisor does with such instances of its children."""

    children: "Children"
    _graces: "dict[ComponentActor, Timer]" = attrs.field(factory=dict, init=False)
    _leaving: dict[Child, Callable[[], None]] = attrs.field(factory=dict, init=False)
    """What is to be done with a component once nothing lives beside it any more."""

    def swap(self, child: Child, upgrade: Upgrade, old: "ComponentActor", new: "ComponentActor") -> None:
        """Both are aside: give the mailbox to the new one."""
        child.beside[old] = None
        self._install(child, upgrade, new, old)

    def place(self, child: Child) -> bool:
        """Have the next instance of an upgrade be the one that is started; whether there is one that waits for that."""
        upgrade = child.upgrade
        if upgrade is None or upgrade.successor is None or not upgrade.placed:
            return False
        new = upgrade.successor
        self._install(child, upgrade, new, None)
        self.children.post(partial(self.children.started, child, new))
        return True

    def accept(self, child: Child) -> None:
        """Give the old one up; nothing when there is no probation."""
        ended = self._end_probation(child)
        if ended is not None and ended.predecessor is not None:
            self._retire(ended.predecessor)

    def rolled_back(self, child: Child, reason: ExitReason) -> bool:
        """Go back if this end of the present instance was one too many; whether the old instance serves again.

        Without an old instance its binary is what the supervisor starts, if it does.
        """
        on = child.probation
        if on is None or not on.is_over(reason, restarts=self._restarts(child, reason)) or child.held is not None:
            return False
        self._end_probation(child)
        child.spec, child.window = on.spec, on.window
        child.rollbacks += 1
        old = on.predecessor
        if old is not None:
            child.beside.pop(old, None)
            child.actor, child.metadata = old, old.metadata
            if child.spec.room is not None:
                child.spec.room.take(child.id, child.spec.limits)  # of one that had gone to sleep: it was kept for this
        self._tell(child, EventKind.ROLLED_BACK, reason)
        self._own(child)
        if old is None or old.aside is None:
            return False
        old.aside.go_on()
        child.move(LifecycleEvent.STARTED)
        self.children.runs(child)
        return True

    def stop(self, child: Child) -> None:
        """The component is to end for good."""
        if child.upgrade is not None and child.upgrade.successor in child.beside:
            child.upgrade.successor.kill()
        self.accept(child)

    def kill(self, child: Child) -> None:
        """The component is to end for good, now."""
        self._end_probation(child)
        for actor in child.beside:
            actor.kill()

    def outlives(self, child: Child, then: Callable[[], None]) -> bool:
        """Whether something still lives beside what would be gone otherwise; `then` is called once nothing does."""
        if not child.beside:
            return False
        if child.state is not ActorState.STOPPING:
            child.move(LifecycleEvent.STOP)
            self.stop(child)
        self._leaving[child] = then
        return True

    def ended(self, child: Child, actor: "ComponentActor") -> None:
        """An instance that did not serve has ended, its guest is closed."""
        child.beside.pop(actor, None)
        child.keep_spent(actor)
        timer = self._graces.pop(actor, None)
        if timer is not None:
            timer.cancel()
        if child.probation is not None and child.probation.predecessor is actor:
            child.probation.predecessor = None
        if not child.beside and child in self._leaving:
            self._leaving.pop(child)()

    def abandon(self, child: Child) -> None:
        """The supervisor itself is being torn down."""
        self._end_probation(child)
        for actor in child.beside:
            timer = self._graces.pop(actor, None)
            if timer is not None:
                timer.cancel()
        self._leaving.pop(child, None)
        child.has_changed()

    def _install(self, child: Child, upgrade: Upgrade, new: "ComponentActor", old: "ComponentActor | None") -> None:
        """Have the new one serve, on probation; that of an earlier upgrade is over."""
        self.accept(child)
        child.probation = on = OnProbation(upgrade.terms, child.spec, child.window, old)
        child.beside.pop(new, None)
        child.actor, child.spec, child.metadata = new, new.spec, new.metadata
        child.window = RestartWindow()
        child.upgrades += 1
        upgrade.done, upgrade.placed = True, False
        upgrade.owned = self._own(child)
        self._tell(child, EventKind.UPGRADED)
        if new.aside is not None:
            new.aside.go_on()
        if upgrade.terms.probation:
            over = partial(self.children.post, partial(self._over, child, on))
            on.timer = self.children.clock.call_at(self.children.clock.time() + upgrade.terms.probation, over)
        else:
            self.accept(child)

    def _over(self, child: Child, on: OnProbation) -> None:
        """The time of a probation has passed."""
        if child.probation is on:
            self.accept(child)

    def _end_probation(self, child: Child) -> OnProbation | None:
        on, child.probation = child.probation, None
        if on is not None and on.timer is not None:
            on.timer.cancel()
        return on

    def _retire(self, actor: "ComponentActor") -> None:
        """Let it say goodbye, within its grace period."""
        grace, clock = actor.spec.shutdown, self.children.clock
        actor.tell(Order.RETIRE)
        if grace == "brutal":
            actor.kill()
        elif grace != "infinite":
            self._graces[actor] = clock.call_at(clock.time() + float(grace), actor.kill)

    def _restarts(self, child: Child, reason: ExitReason) -> bool:
        """Whether its supervisor is going to start it again."""
        if child.leaf is not None:
            return child.leaf.restarts(reason)
        return isinstance(plan(child.spec.policy, child.window, reason, self.children.clock.time()), RestartAfter)

    def _own(self, child: Child) -> asyncio.Event:
        """Have what it keeps in storage belong to the binary that serves now; set when that is done."""
        owned = asyncio.Event()
        self.children.group.start_soon(_claim, child, owned, name=f"{child.handle} (storage)")
        return owned

    def _tell(self, child: Child, kind: EventKind, reason: ExitReason | None = None) -> None:
        version = child.metadata.version
        self.children.observer.event(Event(kind, child.id, reason, digest=child.digest, version=version))


async def _claim(child: Child, owned: asyncio.Event) -> None:
    """A store that cannot be written says so to the component, too; its next load may have to say `inherit_storage`."""
    try:
        if child.spec.storage is not None:
            await child.spec.storage.claim(child.id, child.digest, inherit=True)
    except AirssysError as exc:
        _log.warning("%s was upgraded, but its storage still belongs to the old binary: %s", child.id, exc)
    finally:
        owned.set()
