"""Carries out a plan against a system, and tells the ledger what it does and hears."""

import asyncio
import itertools
from collections.abc import Callable, Coroutine
from typing import Any, final

import attrs

from airssys_wasm import (
    ActorHandle,
    ActorState,
    ActorStopped,
    ActorSystem,
    CapabilityDenied,
    ComponentId,
    ComponentMessage,
    GuestError,
    InstantiationFailed,
    LinkBroken,
    MailboxFull,
    PayloadTooLarge,
    TargetNotFound,
    UpgradeFailed,
)
from benchmarks.soak_ledger import Ledger, number_of, outcome_of
from benchmarks.soak_loads import EVERYTHING, Loads, is_counter
from benchmarks.soak_plan import Action, Plan, Step
from benchmarks.soak_watch import Watch

IN_FLIGHT = 24
"""Steps of one worker that may be under way at the same time."""

MEDIC_SECONDS = 0.05
LINKED_OF_EVERY = 10
"""Of so many actors the first two are linked now and then."""

SINK, INBOX = ComponentId("host", "soak", "sink"), ComponentId("host", "soak", "inbox")
REFUSALS = (
    ActorStopped,
    MailboxFull,
    TargetNotFound,
    CapabilityDenied,
    PayloadTooLarge,
    InstantiationFailed,
    UpgradeFailed,
    LinkBroken,
)


@attrs.define(eq=False)
class Slot:
    """One address, and the load that is there now."""

    index: int
    id: ComponentId
    handle: ActorHandle
    lock: asyncio.Lock = attrs.field(factory=asyncio.Lock)
    in_cure: bool = False


@final
@attrs.define(eq=False)
class Driver:
    """The host code of a soak: workers that follow the plan, a medic who revives what has failed."""

    system: ActorSystem
    plan: Plan
    ledger: Ledger
    watch: Watch
    loads: Loads = attrs.field(init=False)
    slots: list[Slot] = attrs.field(factory=list)
    trouble: dict[str, int] = attrs.field(factory=dict)
    done: bool = False

    def __attrs_post_init__(self) -> None:
        self.loads = Loads(self.system, self.plan, self.ledger, self.watch)

    async def start(self) -> None:
        """Serve the host's two addresses, load all actors and plugins."""
        await self.loads.compile()
        served = [(SINK, None), (INBOX, self._on_callback)]
        for id_, on_callback in served:
            self.loads.add(await self.system.serve(id_, self._sink, on_callback=on_callback))
        for index in range(self.plan.actors + self.plan.plugins):
            self.slots.append(Slot(index, self.loads.id_of(index), await self.loads.load(index)))

    async def run(self, on_progress: Callable[[], None]) -> None:
        """Carry out the whole plan."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._medic())
            group.create_task(self._progress(on_progress))
            async with asyncio.TaskGroup() as workers:
                for worker in range(self.plan.workers):
                    workers.create_task(self._work(worker), name=f"soak worker {worker}")
            self.done = True

    async def _work(self, worker: int) -> None:
        room, lanes = asyncio.Semaphore(IN_FLIGHT), itertools.count()
        async with asyncio.TaskGroup() as group:
            for step in self.plan.steps(worker):
                await room.acquire()
                task = group.create_task(self._step(step, (worker, next(lanes) % 4)))
                task.add_done_callback(lambda _: room.release())
                if step.cancel_after is not None:
                    asyncio.get_running_loop().call_later(step.cancel_after, task.cancel)
                await asyncio.sleep(0)

    async def _step(self, step: Step, lane: object) -> None:
        slot = self.slots[step.target]
        match step.action:
            case Action.ASK:
                await self._ask(step, slot, step.number, lane)
            case Action.BURST:
                await self._burst(step, slot, lane)
            case Action.PUBLISH:
                await self._publish(step)
            case Action.CALL:
                await self._call(step, slot)
            case _ if step.count:
                await self._send(step, slot, step.number, lane)
            case _:
                await self._tolerate(self._change(step, slot))

    async def _change(self, step: Step, slot: Slot) -> None:
        """A step of a component's life."""
        match step.action:
            case Action.RESTART:
                await slot.handle.restart()
            case Action.RELOAD:
                await self._reload(slot, drain=step.flag)
            case Action.UPGRADE:
                source = self.loads.source_of(slot.index)
                await self.system.upgrade(slot.handle, source, probation=step.timeout or 0.0)
            case Action.REVOKE:
                await self._revoke(slot)
            case Action.LINK:
                self._link(step)
            case _:
                async with self.system.linked(slot.id):
                    await asyncio.sleep(step.timeout or 0.0)

    async def _revoke(self, slot: Slot) -> None:
        self.system.revoke(slot.id)
        await asyncio.sleep(0.01)
        if self.system.get(slot.id) is not None:
            self.system.grant(slot.id, EVERYTHING)

    async def _ask(self, step: Step, slot: Slot, number: int, lane: object) -> None:
        handle, ledger, id_ = slot.handle, self.ledger, slot.id
        content_type = f"n/{number}"
        ledger.sent(number, id_, lane, asked=True)
        try:
            answer = await handle.ask(
                step.payload, timeout=step.timeout, content_type=content_type, interrupt=step.interrupt
            )
        except asyncio.CancelledError:
            ledger.ask_ended(number, id_, "cancelled")
        except Exception as exc:  # noqa: BLE001 - the ledger has a name for each that may come
            ledger.ask_ended(number, id_, outcome_of(exc))
        else:
            ledger.ask_ended(number, id_, "answer")
            if step.echo not in {None, answer} and not is_counter(slot.index):
                ledger.violate(f"{step} was answered {answer!r}")

    async def _call(self, step: Step, slot: Slot) -> None:
        calls = self.ledger.calls
        try:
            await calls.make(step, slot.handle)
        except asyncio.CancelledError:
            calls.ended(step.number, "cancelled")
        except Exception as exc:  # noqa: BLE001 - as for an ask
            calls.ended(step.number, outcome_of(exc))

    def _link(self, step: Step) -> None:
        """Neighbours by twos, so that not all are linked to all in the end."""
        one = step.target - step.target % LINKED_OF_EVERY
        first, second = self.slots[one].id, self.slots[one + 1].id
        if step.flag:
            self.system.unlink(first, second)
        else:
            self.watch.link(first, second)
            self.system.link(first, second)

    async def _burst(self, step: Step, slot: Slot, lane: object) -> None:
        """Many at the same time to one mailbox."""
        numbers = [step.number + self.plan.workers * offset for offset in range(step.count)]
        async with asyncio.TaskGroup() as group:
            for number in numbers:
                ask = self._ask if step.flag else self._tell
                group.create_task(ask(step, slot, number, lane))

    async def _tell(self, step: Step, slot: Slot, number: int, lane: object) -> None:
        self.ledger.sent(number, slot.id, lane)
        await self._tolerate(slot.handle.tell(step.payload, content_type=f"n/{number}"))

    async def _send(self, step: Step, slot: Slot, number: int, lane: object) -> None:
        content_type, system, id_ = f"n/{number}", self.system, slot.id
        self.ledger.sent(number, id_, lane)
        match step.action:
            case Action.TELL:
                await self._tolerate(slot.handle.tell(step.payload, content_type=content_type))
            case Action.TELL_NOWAIT:
                try:
                    slot.handle.tell_nowait(step.payload, content_type=content_type)
                except REFUSALS as exc:
                    self._count(exc)
            case Action.SEND:
                await self._tolerate(system.send(None, id_, step.payload, content_type))
            case Action.SEND_AS:
                sender = self.slots[(step.target + 1) % self.plan.actors].id
                await self._tolerate(system.send(sender, id_, step.payload, content_type))
            case _:
                await self._tolerate(self._request(id_, step.payload, content_type))

    async def _request(self, target: ComponentId, payload: bytes, content_type: str) -> None:
        correlation_id = await self.system.request(INBOX, target, payload, timeout=1.0, content_type=content_type)
        self.ledger.owes(correlation_id, INBOX)

    async def _publish(self, step: Step) -> None:
        topic = f"soak.t{step.target}"
        there = self._subscribers(topic)
        for target in there:
            self.ledger.sent(step.number, target, None)
        await self.system.publish(topic, step.payload, f"n/{step.number}")
        left = self._subscribers(topic)  # who went before its turn came is not sent to
        self.ledger.cut_off(step.number, [id_ for id_, handle in there.items() if left.get(id_) != handle])

    def _subscribers(self, topic: str) -> dict[ComponentId, ActorHandle | None]:
        """Each with the load that is there now."""
        return {id_: self.system.get(id_) for id_ in self.system._parts().subscriptions.subscribers(topic)}

    async def _reload(self, slot: Slot, *, drain: bool) -> None:
        async with slot.lock:
            await self.system.unload(slot.handle, drain=drain)
            try:
                slot.handle = await self.loads.load(slot.index)
            except InstantiationFailed as exc:  # a start has its deadline too; the medic tries again
                self._count(exc)

    async def _medic(self) -> None:
        """Revive the failed, load the gone anew; none waits for another one's cure."""
        async with asyncio.TaskGroup() as group:
            while not self.done:
                await asyncio.sleep(MEDIC_SECONDS)
                for slot in self.slots:
                    if slot.handle.state in {ActorState.FAILED, ActorState.STOPPED} and not slot.in_cure:
                        slot.in_cure = True
                        group.create_task(self._cure(slot))

    async def _cure(self, slot: Slot) -> None:
        try:
            if slot.handle.state is ActorState.FAILED:
                await self._tolerate(slot.handle.restart())
            elif not slot.lock.locked():
                await self._reload(slot, drain=False)
        finally:
            slot.in_cure = False

    async def _progress(self, on_progress: Callable[[], None]) -> None:
        while not self.done:
            on_progress()
            await asyncio.sleep(0.01)

    async def _sink(self, message: ComponentMessage) -> bytes | None:
        """Host code that gets messages; every eleventh raises."""
        number = number_of(message)
        if number is None:
            self.ledger.violate(f"the sink got {message}")
            return None
        self.ledger.delivered(number, SINK)
        if number % 5 == 0:
            await asyncio.sleep(0)
        if number % 11 == 0:
            self.ledger.ended(number, SINK, "err")
            raise GuestError("runtime-error", "every eleventh")
        self.ledger.ended(number, SINK, "ok")
        return b"#"

    async def _on_callback(self, message: ComponentMessage) -> None:
        """Each once; it may be quicker than the return of `request`."""
        self.ledger.called_back(message.metadata.correlation_id or "")
        self.ledger.callbacks["delivered"] += 1
        self.ledger.callbacks["ok"] += 1

    async def _tolerate(self, doing: Coroutine[Any, Any, object]) -> None:
        """What may be refused, or cancelled by the plan: the ledger hears of it as a dead letter."""
        try:
            await doing
        except asyncio.CancelledError:
            self._count(asyncio.CancelledError())
        except REFUSALS as exc:
            self._count(exc)

    def _count(self, exc: BaseException) -> None:
        name = type(exc).__name__
        self.trouble[name] = self.trouble.get(name, 0) + 1
