"""A component's life as its guest sees it: initialize, metadata, health, shutdown."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from typing import Any, Final

import pytest

from airssys_wasm import (
    ActorSystem,
    ComponentConfig,
    ComponentCrashed,
    ComponentMetadata,
    HostState,
    InstantiationFailed,
    Limits,
    WasmtimeEngine,
)
from airssys_wasm.core.ports import HealthStatus
from tests.contract.rows import shows
from tests.contract.stage import Actor, Stage, binary, component, until

COMPONENT_ERRORS: Final = (
    "initialization-failed",
    "already-initialized",
    "not-initialized",
    "shutdown-failed",
    "invalid-state",
)
WITHOUT_TEXT: Final = {"already-initialized", "not-initialized"}
GENEROUS: Final = 3.0
"""Seconds within which something ends that is bounded by a fraction of one."""


def said(case: str, text: str) -> str:
    """An err of a guest as people read it."""
    return case if case in WITHOUT_TEXT else f"{case}: {text}"


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What was logged, but for asyncio's own complaints about a slow machine."""
    return [record.getMessage() for record in caplog.records if record.name.startswith("airssys_wasm")]


def live_stores(system: ActorSystem) -> int:
    """Stores of a system's engine."""
    host: Any = system._parts().host
    return int(host.inner.live_stores)


@pytest.mark.parametrize(
    ("config", "shown"),
    [
        (None, "none"),
        (b"\xff bytes", "\ufffd bytes"),
        (b"", ""),
        ("text ü", "text ü"),
        ({"key": [1, "ü"]}, '{"key": [1, "\\u00fc"]}'),
    ],
    ids=["none", "bytes", "no bytes", "str", "dict"],
)
@shows("component-lifecycle.initialize: ok")
async def test_initialize_gets_config_env_and_limits_at_every_start(stage: Stage, config: object, shown: str) -> None:
    """Bytes as they are, a str as UTF-8, a dict as JSON; env in its order; the limits that hold."""
    limits = Limits(max_memory_bytes=10 << 20, max_execution_time=1.5, max_fuel=10**9)
    asker = await stage.load("asker", config=config, env={"B": "2", "A": "ä=1"}, limits=limits)
    expected = (
        f"env B=2\nenv A=ä=1\nconfig {shown}\nmax-memory-bytes 10485760\nmax-execution-time-ms 1500\n"
        "max-fuel 1000000000"
    )
    for _ in range(2):
        answer = await asker.handle.ask(b"env")
        assert answer is not None
        assert expected == answer.decode(errors="replace")
        await asker.handle.restart()


@pytest.mark.parametrize("case", COMPONENT_ERRORS)
@shows(*(f"component-lifecycle.initialize: {case}" for case in COMPONENT_ERRORS))
async def test_err_in_initialize_fails_the_load_with_the_guests_text(stage: Stage, case: str) -> None:
    """Nothing is left, and the id is free."""
    with pytest.raises(InstantiationFailed) as caught:
        await stage.load("asker", config=f"init-refuse {case} no such table")
    text = f"Instantiation failed: demo/asker/0: initialize answered {said(case, 'no such table')}"
    assert text == str(caught.value)
    assert (None, {}, 0) == (
        stage.system.get(component("asker")),
        stage.system.statistics().components,
        live_stores(stage.system),
    )
    assert "demo/asker/0" == await (await stage.load("asker")).say("self-id")


@pytest.mark.parametrize(
    ("config", "text"),
    [
        ("init-trap", "unreachable"),
        ("init-loop", "ran for more than 0.1 s"),
        ("init-sleep 60000", "ran for more than 0.1 s"),
        ("metadata-trap", "unreachable"),
        ("metadata-loop", "ran for more than 0.1 s"),
    ],
)
async def test_a_guest_that_never_gets_ready_fails_the_load(stage: Stage, config: str, text: str) -> None:
    """Trap or endless loop, in initialize or in metadata; it is not restarted, and shutdown is not called."""
    with pytest.raises(InstantiationFailed, match=text):
        await stage.load("asker", config=f"{config}\nshutdown-store bye", limits=Limits(max_execution_time=0.1))
    assert (None, 0) == (stage.system.get(component("asker")), live_stores(stage.system))
    assert "ok none" == await (await stage.load("asker")).say("storage-get bye")


@shows("component-lifecycle.metadata: ok")
async def test_metadata_is_read_once_an_instance(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    """It is on the handle, for whoever looks at it however often."""
    caplog.set_level("INFO", "airssys_wasm.guest")
    asker = await stage.load("asker", config="metadata-log read\nmetadata-flush")
    expected = ComponentMetadata(
        "hostile", "1.0.0", "Misbehaves on demand", "airssys", "Apache-2.0", ("flush",), stateful=True
    )
    for _ in range(3):
        assert expected == asker.handle.metadata
        await asker.say("meta demo|asker|0")
        asker.handle.statistics()
    assert ["demo/asker/0: read"] == lines(caplog)
    await asker.handle.restart()
    assert ["demo/asker/0: read"] * 2 == lines(caplog)


@pytest.mark.parametrize("status", HealthStatus)
@shows("component-lifecycle.health: ok", *(f"health-status: {status}" for status in HealthStatus))
async def test_health_is_what_the_guest_says(status: HealthStatus) -> None:
    """Asked of the engine."""
    async with WasmtimeEngine() as engine:
        state = HostState(component("asker"))
        guest = await engine.start(await engine.compile(binary("hostile"), state.limits), state)
        try:
            await guest.initialize(ComponentConfig.of(f"health-{status}"))
            assert status is await guest.health()
        finally:
            await guest.aclose()


@contextlib.asynccontextmanager
async def system_of_one(config: str, **settings: Any) -> AsyncIterator[tuple[ActorSystem, Actor]]:
    """A system with one hostile guest."""
    async with ActorSystem() as system:
        yield system, Actor(await system.load(component("asker"), binary("hostile"), config=config, **settings))


async def _unload(system: ActorSystem, actor: Actor) -> None:
    await system.unload(actor.handle)


async def _unload_twice(system: ActorSystem, actor: Actor) -> None:
    await asyncio.gather(system.unload(actor.handle), system.unload(actor.handle))


async def _drain(system: ActorSystem, actor: Actor) -> None:
    for _ in range(3):
        actor.handle.tell_nowait(b"count")
    await system.unload(actor.handle, drain=True)
    assert 3 == actor.handle.statistics().handled


async def _unload_busy(system: ActorSystem, actor: Actor) -> None:
    await actor.handle.tell(b"sleep 50")
    await until(lambda: not actor.handle.statistics().mailbox.waiting)
    await system.unload(actor.handle)


async def _restart_and_unload(system: ActorSystem, actor: Actor) -> None:
    await actor.handle.restart()
    await system.unload(actor.handle)


async def _leave(_system: ActorSystem, _actor: Actor) -> None:
    return


async def _crash(_system: ActorSystem, actor: Actor) -> None:
    with pytest.raises(ComponentCrashed):
        await actor.handle.ask(b"trap")


async def _interrupt(_system: ActorSystem, actor: Actor) -> None:
    with pytest.raises(TimeoutError):
        await actor.handle.ask(b"loop", timeout=0.05, interrupt=True)
    await actor.say("count")


@pytest.mark.parametrize(
    ("way", "times"),
    [
        (_unload, 1),
        (_unload_twice, 1),
        (_drain, 1),
        (_unload_busy, 1),
        (_leave, 1),
        (_restart_and_unload, 2),
        (_interrupt, 1),
    ],
)
@shows("component-lifecycle.shutdown: ok")
async def test_shutdown_is_called_once_for_each_orderly_end(
    way: Any, times: int, caplog: pytest.LogCaptureFixture
) -> None:
    """An instance that was interrupted is gone without it, the next one is not."""
    caplog.set_level("INFO", "airssys_wasm.guest")
    async with system_of_one("shutdown-log bye") as (system, actor):
        await way(system, actor)
    assert ["demo/asker/0: bye"] * times == lines(caplog)


async def test_shutdown_does_not_follow_a_crash(caplog: pytest.LogCaptureFixture) -> None:
    """Nor a kill."""
    caplog.set_level("INFO", "airssys_wasm.guest")
    async with system_of_one("shutdown-log bye", restart="temporary") as (_, actor):
        await _crash(_, actor)
    with pytest.raises(LookupError):
        async with system_of_one("shutdown-log bye"):
            raise LookupError
    async with system_of_one("shutdown-log bye", shutdown="brutal") as (system, actor):
        await system.unload(actor.handle)
    assert [] == lines(caplog)


async def test_shutdown_may_still_use_host_functions(stage: Stage) -> None:
    """What it stores is there for the next of its kind."""
    asker = await stage.load("asker", config="shutdown-store last", shutdown=5.0)
    await stage.unload(asker)
    assert "ok some stopped" == await (await stage.load("asker")).say("storage-get last")


@pytest.mark.parametrize("case", COMPONENT_ERRORS)
@shows(*(f"component-lifecycle.shutdown: {case}" for case in COMPONENT_ERRORS))
async def test_err_in_shutdown_is_logged_and_counted(stage: Stage, case: str, caplog: pytest.LogCaptureFixture) -> None:
    """The component is gone all the same."""
    asker = await stage.load("asker", config=f"shutdown-refuse {case} disk full", shutdown=5.0)
    await stage.unload(asker)
    assert (None, 1) == (stage.system.get(component("asker")), asker.handle.statistics().guest_errors)
    assert [f"demo/asker/0 answered err to shutdown: {said(case, 'disk full')}"] == lines(caplog)
    caplog.clear()  # a record keeps the error, which keeps the call's frames


async def test_a_trap_in_shutdown_is_logged(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    """It is no crash any more."""
    asker = await stage.load("asker", config="shutdown-trap", shutdown=5.0)
    await stage.unload(asker)
    assert (None, 0) == (stage.system.get(component("asker")), asker.handle.statistics().crashes)
    assert ["demo/asker/0 failed in shutdown"] == [line.partition(":")[0] for line in lines(caplog)]
    caplog.clear()


@pytest.mark.parametrize("config", ["shutdown-loop", "shutdown-sleep 60000"])
async def test_shutdown_is_bounded_by_the_grace_period(stage: Stage, config: str) -> None:
    """Then the guest is killed."""
    asker = await stage.load("asker", config=config, shutdown=0.1)
    started = time.monotonic()
    await stage.unload(asker)
    assert time.monotonic() - started < GENEROUS
    assert (None, 0) == (stage.system.get(component("asker")), live_stores(stage.system))
