"""Requesters and targets without WebAssembly, on a clock that stands still: what the state machine of requests acts on.

A target waits with each message until it is told how that ends. A requester remembers its callbacks, by instance.
"""

import asyncio
import json
from typing import Final, final

from airssys_wasm import ActorState, Capabilities, ComponentId, ComponentMessage, GuestError, Limits, MailboxFull, Trap
from airssys_wasm.actor.child import Child, ChildSpec
from airssys_wasm.actor.restarts import RestartPolicy
from airssys_wasm.actor.supervisor import Supervisor
from airssys_wasm.messaging.requests import Requests
from airssys_wasm.messaging.router import Router
from airssys_wasm.security.guard import Guard
from airssys_wasm.testing.clock import ManualClock, settle
from airssys_wasm.testing.guests import Script, ScriptedGuest, ScriptedHost
from airssys_wasm.testing.observer import RecordingObserver

REQUESTERS: Final = tuple(ComponentId("demo", "requester", str(number)) for number in range(2))
TARGETS: Final = tuple(ComponentId("demo", "target", str(number)) for number in range(2))
LIMITS: Final = Limits(max_pending_requests=4, mailbox_capacity=3, max_execution_time=1e9, send_wait=1e-6)
AT_ONCE: Final = RestartPolicy(restart="permanent", intensity=10**6, backoff_initial=0.0)

Heard = tuple[str, str]
"""One callback: its correlation id, and "some", "none" or the case of an error."""


def kind(message: ComponentMessage) -> str:
    """What a callback says, in a word."""
    match message.metadata.content_type:
        case None:
            return "some"
        case "application/x.airssys.none":
            return "none"
        case _:
            return str(json.loads(message.payload.data)["error"])


@final
class Bench:
    """The real router, supervisor and table."""

    def __init__(self) -> None:
        self.clock, self.observer, self.guard = ManualClock(), RecordingObserver(), Guard()
        self.heard: dict[ScriptedGuest, list[Heard]] = {}
        self.current: dict[ComponentId, str | None] = {}
        self.begun: list[str] = []
        script = Script(on_message=self._on_message, on_callback=self._on_callback)
        self.host, self._script = ScriptedHost(clock=self.clock), script
        self.supervisor = Supervisor(self.host, observer=self.observer, clock=self.clock)

    async def open(self) -> None:
        """Start everything."""
        await self.supervisor.__aenter__()
        registry, delivery = self.supervisor.registry, self.supervisor.delivery
        self.requests = Requests(registry, delivery)
        host = ComponentId("host", "tests", "0")
        self.router = Router(host, self.guard, registry, delivery, self.requests, self.observer)
        for id_ in (*REQUESTERS, *TARGETS):
            await self.start(id_)

    async def start(self, id_: ComponentId) -> None:
        """Start a component with all grants."""
        self.guard.grant(id_, Capabilities(send=["*"]))
        spec = ChildSpec(
            id=id_, compiled=self._script, limits=LIMITS, outbox=self.router, shutdown="brutal", policy=AT_ONCE
        )
        await self.supervisor.start_child(spec)

    async def close(self) -> None:
        """End everything."""
        await self.supervisor.aclose(kill=True)
        await self.supervisor.__aexit__(None, None, None)

    def child(self, id_: ComponentId) -> Child:
        """A component that runs."""
        child = self.supervisor.registry.by_id(id_)
        assert ActorState.RUNNING is child.state
        return child

    def guest(self, id_: ComponentId) -> ScriptedGuest:
        """Its present instance."""
        return next(guest for guest in reversed(self.host.guests) if guest.state.component_id == id_)

    async def request(self, requester: ComponentId, target: ComponentId, timeout: float) -> str | None:
        """Make a request; None when there is no room for it."""
        state = self.guest(requester).state
        try:
            return await self.router.request(state, target, b"x", timeout=timeout)
        except MailboxFull:
            return None
        finally:
            await settle()

    async def end_message(self, id_: ComponentId, how: str) -> None:
        """Have a component end the message it waits with: some, none, err, trap."""
        self.guest(id_).resume(how.encode())
        await settle()

    async def hold(self, requester: ComponentId) -> None:
        """Keep a requester busy until its message is ended."""
        await self.router.send(self.router.host, requester, b"x", wait=0)
        await settle()

    async def stop(self, id_: ComponentId) -> None:
        """Unload a component and load it again."""
        await self.supervisor.stop_child(self.child(id_))
        await settle()
        await self.start(id_)
        await settle()

    async def restart(self, id_: ComponentId) -> None:
        """Replace an instance on request."""
        await self.supervisor.restart(self.child(id_))
        await settle()

    async def _on_message(self, guest: ScriptedGuest, message: ComponentMessage) -> bytes | None:
        id_ = guest.state.component_id
        self.current[id_] = correlation_id = message.metadata.correlation_id
        if correlation_id is not None:
            self.begun.append(correlation_id)
        try:
            how = await guest.pause()
        finally:
            self.current.pop(id_, None)
        match how:
            case b"none":
                return None
            case b"err":
                raise GuestError("invalid-component", "as told")
            case b"trap":
                raise Trap("as told", "unreachable")
        return how

    async def _on_callback(self, guest: ScriptedGuest, message: ComponentMessage) -> bytes | None:
        self.heard.setdefault(guest, []).append((message.metadata.correlation_id or "", kind(message)))
        await asyncio.sleep(0)
        return None
