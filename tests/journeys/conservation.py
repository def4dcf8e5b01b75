"""A storm of messages under every mailbox policy, on scripted guests."""

import asyncio
import contextlib
import random
from collections.abc import Coroutine
from typing import Any, Final, final

import attrs

from airssys_wasm import (
    ActorHandle,
    ActorSystem,
    AirssysError,
    Capabilities,
    ComponentId,
    ComponentMessage,
    DeliveryError,
    GuestError,
    Limits,
    MailboxPolicy,
    MailboxRule,
    Trap,
)
from airssys_wasm.testing.clock import ManualClock, settle
from airssys_wasm.testing.guests import Script, ScriptedGuest, ScriptedHost
from tests.journeys.conservation_account import Account, Key

LIMITS: Final = Limits(
    mailbox_capacity=3, mailbox_bytes=100, max_payload_bytes=60, send_wait=0.002, max_pending_requests=2
)
POLICIES: Final = [MailboxPolicy(rule, "bytes:0:2" if rule == "latest-by-key" else None) for rule in MailboxRule]
VERBS: Final = ["echo", "err", "none", "send", "request", "cancel", "pause", "trap", "large"]
WEIGHTS: Final = [30, 4, 4, 14, 14, 6, 14, 2, 2]
ACTIONS: Final = {
    "ask": 30,
    "tell": 20,
    "now": 10,
    "send": 10,
    "request": 15,
    "publish": 5,
    "burst": 10,
    "resume": 40,
    "time": 20,
    "cancel": 10,
    "restart": 2,
    "reload": 2,
}
NOBODY: Final = ComponentId("demo", "nobody", "0")
RELAY: Final = ComponentId("host", "app", "relay")


@final
@attrs.define(eq=False, repr=False)
class Storm:
    """One run: actors under all policies, host code that asks, tells, gives up, restarts and unloads."""

    seed: int
    account: Account = attrs.field(factory=Account)
    loads: list[ActorHandle] = attrs.field(factory=list)
    """Every load there ever was."""
    _dice: random.Random = attrs.field(init=False)
    _clock: ManualClock = attrs.field(factory=ManualClock)
    _host: ScriptedHost = attrs.field(init=False)
    _handles: list[ActorHandle] = attrs.field(factory=list)
    _tasks: "list[asyncio.Task[None]]" = attrs.field(factory=list)
    _lasting: "list[asyncio.Task[None]]" = attrs.field(factory=list)

    def __attrs_post_init__(self) -> None:
        self._dice = random.Random(self.seed)
        script = Script(on_message=self._on_message, on_callback=self._on_callback)
        self._host = ScriptedHost({b"guest": script}, self._clock)

    async def run(self, steps: int) -> ActorSystem:
        """Take so many steps and leave the system, with whatever is under way."""
        async with ActorSystem(host=self._host, clock=self._clock) as system:
            letters = system._observatory.dead_letters.open(100_000)
            await self._start(system)
            for _ in range(steps):
                await self._step(system)
                self.account.read(letters)
            stopping = asyncio.create_task(self._unstick())
        stopping.cancel()
        ends = await asyncio.gather(*self._tasks, *self._lasting, return_exceptions=True)
        assert [] == [end for end in ends if isinstance(end, Exception)]
        self.account.read(letters)
        return system

    async def _unstick(self) -> None:
        """Guests that wait go on, so that the system can stop them."""
        while True:
            self._resume(all_of_them=True)
            await asyncio.sleep(0)

    async def _start(self, system: ActorSystem) -> None:
        for number in range(2 * len(POLICIES)):
            self._handles.append(await self._load(system, number))
            await system.subscribe("news", self._handles[-1].id)
        self._handles.append(
            await system.serve(RELAY, self._relay, on_callback=self._heard, limits=LIMITS, mailbox="drop-oldest")
        )
        self.loads.append(self._handles[-1])

    async def _load(self, system: ActorSystem, number: int) -> ActorHandle:
        id_ = ComponentId("demo", f"a{number}", "0")
        policy = POLICIES[number % len(POLICIES)]
        handle = await system.load(
            id_, b"guest", limits=LIMITS, mailbox=policy, capabilities=Capabilities(send=("demo/*", "host/*"))
        )
        self.loads.append(handle)
        return handle

    async def _step(self, system: ActorSystem) -> None:
        """One thing that host code does, or a moment that passes."""
        what = self._dice.choices([*ACTIONS], [*ACTIONS.values()])[0]
        number = self._dice.randrange(len(self._handles) - (what == "reload"))  # the last one is host code
        handle = self._handles[number]
        match what:
            case "resume":
                self._resume()
            case "time":
                await self._clock.advance(self._dice.choice([0.1, 0.5, 3.0]))
            case "cancel":
                self._dice.choice(self._tasks or [asyncio.create_task(asyncio.sleep(0))]).cancel()
            case "restart":
                self._begin(self._tolerated(handle.restart()))
            case "reload":
                await self._reload(system, number)
            case "publish":
                self._lasting.append(asyncio.create_task(self._publish(system)))  # cut off, it may not have sent all
            case "burst":
                for _ in range(6):
                    self._begin(self._ask(handle))
            case _:
                self._begin(getattr(self, f"_{what}")(handle, system))
        if self._dice.random() < 0.3:
            await settle()

    def _begin(self, doing: Coroutine[Any, Any, None]) -> None:
        self._tasks.append(asyncio.create_task(doing))

    async def _tolerated(self, doing: Coroutine[Any, Any, object]) -> None:
        with contextlib.suppress(AirssysError, asyncio.CancelledError):
            await doing

    def _new(self, target: ComponentId) -> tuple[Key, bytes]:
        return self.account.new(self._dice.choices(VERBS, WEIGHTS)[0], self._dice.choice(["k1", "k2", "k3"]), target)

    def _some(self) -> ComponentId:
        return self._dice.choice([*(handle.id for handle in self._handles), NOBODY])

    async def _ask(self, handle: ActorHandle, _system: ActorSystem | None = None) -> None:
        timeout = self._dice.choice([None, 5.0, 1.0, 0.5, 0.0])
        interrupt = self._dice.random() < 0.2
        key, payload = self._new(handle.id)
        try:
            await handle.ask(payload, timeout=timeout, interrupt=interrupt)
        except (AirssysError, asyncio.CancelledError) as exc:
            self.account.ends.setdefault(key, []).append(exc)
        else:
            self.account.ends.setdefault(key, []).append(None)

    async def _tell(self, handle: ActorHandle, _system: ActorSystem) -> None:
        _, payload = self._new(handle.id)
        await self._tolerated(handle.tell(payload, timeout=self._dice.choice([None, None, 0.001, 1.0])))

    async def _now(self, handle: ActorHandle, _system: ActorSystem) -> None:
        _, payload = self._new(handle.id)
        with contextlib.suppress(DeliveryError):
            handle.tell_nowait(payload, timeout=self._dice.choice([None, 0.5]))

    async def _send(self, handle: ActorHandle, system: ActorSystem) -> None:
        target = self._some()
        _, payload = self._new(target)
        await self._tolerated(system.send(self._dice.choice([None, handle.id]), target, payload))

    async def _request(self, handle: ActorHandle, system: ActorSystem) -> None:
        target = self._some()
        _, payload = self._new(target)
        await self._tolerated(system.request(handle.id, target, payload, timeout=self._dice.choice([0.0, 0.5, 60.0])))

    async def _publish(self, system: ActorSystem) -> None:
        self.account.numbers += 1
        number = self.account.numbers
        for target in system._parts().subscriptions.subscribers("news"):
            self.account.sent[number, target] += 1
        await system.publish("news", f"k1 echo #{number}".encode())

    async def _reload(self, system: ActorSystem, number: int) -> None:
        unloading = asyncio.create_task(system.unload(self._handles[number], drain=self._dice.random() < 0.5))
        while not unloading.done():
            self._resume(all_of_them=True)
            await asyncio.sleep(0)
        self._handles[number] = await self._load(system, number)
        await system.subscribe("news", self._handles[number].id)

    def _resume(self, *, all_of_them: bool = False) -> None:
        for guest in self._host.live:
            if all_of_them or self._dice.random() < 0.5:
                guest.resume()

    async def _on_message(self, guest: ScriptedGuest, message: ComponentMessage) -> bytes | None:
        """Do what it says; handled is what ends with an answer or an err."""
        key, verb = _read(message, guest.state.component_id)
        try:
            answer = await self._obey(guest, verb)
        except GuestError:
            self.account.handled[key] += 1
            raise
        self.account.handled[key] += 1
        return answer

    async def _obey(self, guest: ScriptedGuest, verb: str) -> bytes | None:
        outbox, state, target = guest.state.outbox, guest.state, self._some()
        assert outbox is not None
        match verb:
            case "err":
                raise GuestError("timeout", "")
            case "trap":
                raise Trap("unreachable", "unreachable")
            case "pause":
                await guest.pause()
            case "send":
                _, payload = self._new(target)
                with contextlib.suppress(DeliveryError):
                    await outbox.send(state.component_id, target, payload, wait=state.limits.send_wait)
            case "request" | "cancel":
                _, payload = self._new(target)
                try:
                    request = await outbox.request(state, target, payload, timeout=self._dice.choice([0.0, 1.0, 60.0]))
                except DeliveryError:
                    return None
                if verb == "cancel":
                    outbox.cancel_request(state, request)
        return None if verb == "none" else b"ok"

    async def _relay(self, message: ComponentMessage) -> bytes | None:
        """Host code that asks on, and sends, in the middle of a message."""
        key, verb = _read(message, RELAY)
        handle = self._dice.choice(self._handles)
        if verb in {"send", "request", "pause"}:
            inner, payload = self._new(handle.id)
            try:
                await handle.ask(payload, timeout=0.5)
            except AirssysError as exc:
                self.account.ends.setdefault(inner, []).append(exc)
            except asyncio.CancelledError as exc:
                self.account.ends.setdefault(inner, []).append(exc)
                raise
            else:
                self.account.ends.setdefault(inner, []).append(None)
        self.account.handled[key] += 1
        if verb == "err":
            raise GuestError("timeout", "")
        return b"ok"

    async def _on_callback(self, _guest: ScriptedGuest, message: ComponentMessage) -> bytes | None:
        await self._heard(message)
        return None

    async def _heard(self, message: ComponentMessage) -> None:
        self.account.callbacks[message.metadata.correlation_id or ""] += 1


def _read(message: ComponentMessage, target: ComponentId) -> tuple[Key, str]:
    _, verb, number = message.payload.data.decode().replace("#", "").split(" ")
    return (int(number.lstrip("x")), target), verb
