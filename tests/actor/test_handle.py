"""What host code holds: a handle asks, tells, restarts, and knows how its component is."""

import asyncio
from typing import Any

import pytest

from airssys_wasm.actor.handle import ActorHandle
from airssys_wasm.core.errors import ActorStopped, ConfigError, MailboxFull, RequestTimeout
from airssys_wasm.core.exits import ExitKind
from airssys_wasm.core.limits import Limits
from airssys_wasm.core.messages import CONTENT_TYPE_FLUSH, ComponentMessage, MessagePayload
from airssys_wasm.core.observations import ActorState
from airssys_wasm.messaging.requests import Requests
from airssys_wasm.messaging.router import Router
from airssys_wasm.security.guard import Guard
from airssys_wasm.testing.clock import settle
from airssys_wasm.testing.guests import Script, ScriptedGuest
from tests.actor.bench import HOST, Bench, component


@pytest.fixture
def router(bench: Bench) -> Router:
    """The way of the handles."""
    supervisor = bench.supervisor
    requests = Requests(supervisor.registry, supervisor.delivery)
    return Router(HOST, Guard(), supervisor.registry, supervisor.delivery, requests, bench.observer)


async def _handle(bench: Bench, router: Router, script: Script | None = None, **spec: Any) -> ActorHandle:
    return ActorHandle(await bench.start(script=script, **spec), router, bench.supervisor)


async def test_a_handle_asks_and_tells_in_order(bench: Bench, router: Router) -> None:
    """Any kind of bytes will do."""
    handle = await _handle(bench, router)
    await handle.tell(bytearray(b"count"))
    handle.tell_nowait(memoryview(b"count"))
    assert b"3" == await handle.ask(MessagePayload(b"count"))
    assert (3, ActorState.RUNNING) == (handle.statistics().handled, handle.state)
    assert ("scripted", component(), 1) == (handle.metadata.name, handle.id, handle.handle_id)
    assert "ActorHandle(demo/a/0#1, running)" == repr(handle)


async def test_a_str_is_no_payload(bench: Bench, router: Router) -> None:
    """Its encoding is for the caller to say."""
    handle = await _handle(bench, router)
    for offer in (handle.ask, handle.tell):
        with pytest.raises(TypeError, match="encode"):
            await offer("text")  # type: ignore[arg-type]


async def test_an_ask_has_five_seconds_unless_it_says_otherwise(bench: Bench, router: Router) -> None:
    """The default of the signature."""
    handle = await _handle(bench, router)
    asking = asyncio.create_task(handle.ask(b"hang"))
    await bench.clock.advance(4.9)
    assert not asking.done()
    await bench.clock.advance(0.1)
    with pytest.raises(RequestTimeout, match="5 s"):
        await asking
    bench.guest().resume()


async def test_content_types_of_the_runtime_are_its_own(bench: Bench, router: Router) -> None:
    """Host code may set any other; the runtime's own ask carries them."""
    seen: list[str | None] = []

    async def on_message(_guest: ScriptedGuest, message: ComponentMessage) -> None:
        seen.append(message.metadata.content_type)

    handle = await _handle(bench, router, Script(on_message=on_message))
    with pytest.raises(ConfigError, match="reserved"):
        await handle.ask(b"", content_type=CONTENT_TYPE_FLUSH)
    with pytest.raises(ConfigError, match="reserved"):
        await handle.tell(b"", content_type=CONTENT_TYPE_FLUSH)
    with pytest.raises(ConfigError, match="reserved"):
        handle.tell_nowait(b"", content_type=CONTENT_TYPE_FLUSH)
    await handle.ask(b"", content_type="text/plain")
    await handle._ask_control(b"", CONTENT_TYPE_FLUSH)
    assert ["text/plain", CONTENT_TYPE_FLUSH] == seen


async def test_tell_nowait_refuses_when_there_is_no_room(bench: Bench, router: Router) -> None:
    """It never waits."""
    handle = await _handle(bench, router, limits=Limits(mailbox_capacity=1))
    handle.tell_nowait(b"x")
    with pytest.raises(MailboxFull):
        handle.tell_nowait(b"y")


async def test_restart_gives_a_new_instance_behind_the_same_handle(bench: Bench, router: Router) -> None:
    """Also after a failure."""
    handle = await _handle(bench, router)
    assert [b"1", b"2"] == [await handle.ask(b"count") for _ in range(2)]
    await handle.restart()
    assert b"1" == await handle.ask(b"count")
    for _ in range(4):
        await handle.tell(b"trap")
        await bench.clock.advance(1)
    assert ActorState.FAILED is handle.state
    await handle.restart()
    assert b"1" == await handle.ask(b"count")


async def test_wait_stopped_tells_how_it_ended(bench: Bench, router: Router) -> None:
    """At once when it has; a waiter that is cancelled changes nothing."""
    handle = await _handle(bench, router)
    given_up, waiting = [asyncio.create_task(handle.wait_stopped()) for _ in range(2)]
    await settle()
    given_up.cancel()
    await bench.supervisor.unload_component(bench.supervisor.registry.by_id(component()).handle)
    assert ExitKind.STOPPED is (await waiting).kind is (await handle.wait_stopped()).kind
    with pytest.raises(ActorStopped):
        await handle.ask(b"x")


async def test_handles_of_one_load_are_equal(bench: Bench, router: Router) -> None:
    """Those of another load are not, the same id or not."""
    child, again = await bench.start(), await bench.start()
    first, second = [ActorHandle(child, router, bench.supervisor) for _ in range(2)]
    assert (first, hash(first)) == (second, hash(second))
    assert first != ActorHandle(again, router, bench.supervisor)


@pytest.mark.parametrize("content_type", [b"", 0, False, 5])
async def test_a_content_type_that_is_no_text_is_refused(bench: Bench, router: Router, content_type: Any) -> None:
    """Also one that counts as nothing: no guest could be given it."""
    handle = await _handle(bench, router)
    for call in (handle.ask, handle.tell):
        with pytest.raises(ConfigError, match="content_type"):
            await call(b"x", content_type=content_type)


async def test_who_gives_up_waiting_for_the_end_leaves_nothing(bench: Bench, router: Router) -> None:
    """As with a timeout around it, again and again."""
    handle = await _handle(bench, router)
    for _ in range(3):
        waiting = asyncio.create_task(handle.wait_stopped())
        await settle()
        waiting.cancel()
        await asyncio.wait([waiting])
    assert 0 == len(handle._child.ending)
