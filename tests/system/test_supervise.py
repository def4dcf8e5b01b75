"""Trees of supervisors as an application holds them."""

import asyncio
from typing import Any

import pytest

from airssys_wasm import (
    ActorHandle,
    ActorState,
    ActorStopped,
    ActorSystem,
    AlreadyLoaded,
    Capabilities,
    CapabilityDenied,
    ComponentCrashed,
    ComponentId,
    ComponentSpec,
    ConfigError,
    EventKind,
    ExitKind,
    ExitReason,
    InstantiationFailed,
    InvalidComponent,
    InvalidId,
    Limits,
    SupervisorSpec,
    Trap,
)
from airssys_wasm.core.config import ComponentConfig
from airssys_wasm.testing.clock import ManualClock, settle
from airssys_wasm.testing.guests import OBEDIENT, Script, ScriptedGuest, ScriptedHost

BROKEN = b"broken"


def component(name: str) -> ComponentId:
    """An id."""
    return ComponentId("demo", name, "0")


def spec(name: str, source: bytes = OBEDIENT, **settings: Any) -> ComponentSpec:
    """A component of a tree."""
    return ComponentSpec(component(name), source, **settings)


def group(name: str, *children: Any, **settings: Any) -> SupervisorSpec[ComponentSpec]:
    """A supervisor of a tree; a str is a component."""
    made: list[Any] = [spec(child) if isinstance(child, str) else child for child in children]
    return SupervisorSpec(name=name, children=made, **settings)


def handle(system: ActorSystem, name: str) -> ActorHandle:
    """A component of a tree."""
    found = system.get(component(name))
    assert found is not None
    return found


async def crash(system: ActorSystem, name: str) -> None:
    """Have a component trap, and all follow that follows at once."""
    with pytest.raises(ComponentCrashed):
        await handle(system, name).ask(b"trap", timeout=None)
    await settle()


async def _trap(_guest: ScriptedGuest, _config: ComponentConfig) -> None:
    raise Trap("no database", "unreachable")


@pytest.fixture
def clock() -> ManualClock:
    """Stands still."""
    return ManualClock()


@pytest.fixture
def host(clock: ManualClock) -> ScriptedHost:
    """Makes the guests."""
    return ScriptedHost({BROKEN: Script(on_initialize=_trap)}, clock)


async def test_a_tree_is_a_part_of_the_system_like_what_is_loaded(host: ScriptedHost) -> None:
    """Its components are found by id, have their settings and grants, and are unloaded one by one or as a whole."""
    async with ActorSystem(host=host) as system:
        sending = Capabilities(send=["demo/*"])
        tree = await system.supervise(
            group("app", spec("a", capabilities=sending), group("inner", spec("b", limits=Limits(max_payload_bytes=9))))
        )
        assert ("app", ActorState.RUNNING, (component("a"), component("b"))) == (tree.name, tree.state, tree.components)
        assert b"1" == await handle(system, "b").ask(b"count")
        await system.send(component("a"), component("b"), b"x")
        with pytest.raises(CapabilityDenied):
            await system.send(component("b"), component("a"), b"x")
        with pytest.raises(AlreadyLoaded):
            await system.load(component("b"), OBEDIENT)
        await system.unload(handle(system, "b"))
        assert None is system.get(component("b"))
        await tree.stop()
        await tree.stop()
        assert (ActorState.STOPPED, ExitKind.STOPPED) == (tree.state, (await tree.wait_stopped()).kind)
        assert {} == system.statistics().components
        with pytest.raises(InstantiationFailed):
            await tree.restart()
        await system.supervise(group("app", "a", "b"))


@pytest.mark.parametrize(
    ("children", "error"),
    [
        ((spec("a"), spec("b", BROKEN), spec("c")), InstantiationFailed),
        ((spec("a"), spec("b", b"unknown")), InvalidComponent),
        ((spec("a"), spec("taken")), AlreadyLoaded),
        ((spec("a"), ComponentSpec(ComponentId("host", "x", "0"), OBEDIENT)), InvalidId),
    ],
    ids=["initialize fails", "is no component", "id is taken", "id is reserved"],
)
async def test_a_tree_that_cannot_start_leaves_nothing(
    host: ScriptedHost, children: tuple[ComponentSpec, ...], error: type[Exception]
) -> None:
    """The ids are free again, and nobody has a grant."""
    async with ActorSystem(host=host) as system:
        taken = await system.load(component("taken"), OBEDIENT)
        with pytest.raises(error):
            await system.supervise(group("app", *children))
        assert [component("taken")] == list(system.statistics().components)
        assert b"x" == await taken.ask(b"x")
        await system.supervise(group("app", "a", "b", "c"))


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda: group("app", "a", group("inner", "a")), "id"),
        (lambda: group("app", group("inner", "a"), group("inner", "b")), "name"),
        (lambda: group("app"), "children"),
        (lambda: group("a/b", "a"), "name"),
        (lambda: group("app", "a", strategy="all"), "strategy"),
        (lambda: group("app", "a", intensity=-1), "intensity"),
        (lambda: group("app", "a", window=0), "window"),
        (lambda: group("app", "a", shutdown=0), "shutdown"),
        (lambda: spec("a", restart="always"), "restart"),
        (lambda: spec("a", capabilities="all"), "capabilities"),
    ],
)
def test_a_specification_that_makes_no_sense_is_refused(make: Any, field: str) -> None:
    """At construction, naming the field."""
    with pytest.raises(ConfigError) as caught:
        make()
    assert field == caught.value.field


async def test_a_tree_that_gives_up_has_failed_and_the_rest_lives(host: ScriptedHost, clock: ManualClock) -> None:
    """The event names the supervisor and the component on which it gave up; `restart` begins anew."""
    async with ActorSystem(host=host, clock=clock) as system:
        tree = await system.supervise(group("app", "a", group("inner", "b", "c", intensity=0), intensity=1))
        alone, events = await system.load(component("alone"), OBEDIENT), system.events()
        await crash(system, "b")
        assert ["b", "c"] == [name for name in "abc" if handle(system, name).state is ActorState.RESTARTING]
        await clock.advance(1)
        assert b"1" == await handle(system, "c").ask(b"count", timeout=None)
        await crash(system, "b")
        assert ActorState.FAILED is tree.state
        assert "failed: app gave up on app/inner" in str(await tree.wait_stopped())
        for name in "abc":
            with pytest.raises(ActorStopped, match="app gave up on app/inner"):
                await handle(system, name).ask(b"x")
        assert b"x" == await alone.ask(b"x", timeout=None)
        seen = [event for event in iter(events.get_nowait, None) if event.kind is EventKind.GAVE_UP]
        assert ["app/inner", "app/inner", "app"] == [event.supervisor for event in seen]
        assert {component("b")} == {event.component for event in seen}
        await tree.restart()
        assert [b"1"] * 3 == [await handle(system, name).ask(b"count", timeout=None) for name in "abc"]


async def _failing(system: ActorSystem, clock: ManualClock) -> None:
    """A block that waits for ever while a component uses up its restarts."""
    async with system:
        one = await system.load(component("one"), OBEDIENT)
        for _ in range(4):
            one.tell_nowait(b"trap")
        await clock.advance(10)
        await asyncio.Event().wait()


async def test_fail_fast_raises_an_exception_group_out_of_the_block(host: ScriptedHost, clock: ManualClock) -> None:
    """Three restarts are fine, the next failure ends the block, whatever it waits for; the trap is the cause."""
    running = asyncio.create_task(_failing(ActorSystem(host=host, clock=clock, fail_fast=True), clock))
    with pytest.raises(ExceptionGroup, match="supervisors have failed") as caught:
        await running
    [failure] = caught.value.exceptions
    assert isinstance(failure, ActorStopped)
    assert isinstance(failure.__cause__, Trap)
    assert (0, []) == (running.cancelling(), host.live)


async def test_an_error_of_the_block_is_in_the_group(host: ScriptedHost, clock: ManualClock) -> None:
    """Also for a tree, on which the block itself stumbled."""

    async def run() -> None:
        async with ActorSystem(host=host, clock=clock, fail_fast=True) as system:
            await system.supervise(group("app", "a", intensity=0))
            handle(system, "a").tell_nowait(b"trap")
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                raise LookupError("of the block") from None

    with pytest.raises(ExceptionGroup) as caught:
        await run()
    assert [ActorStopped, LookupError] == [type(failure) for failure in caught.value.exceptions]


async def test_fail_fast_gives_way_to_a_cancellation_from_outside(host: ScriptedHost, clock: ManualClock) -> None:
    """Who cancels the task gets the cancellation."""

    async def run() -> None:
        async with ActorSystem(host=host, clock=clock, fail_fast=True) as system:
            await system.supervise(group("app", "a"))
            system._fail_fast._failed(component("a"), ExitReason(ExitKind.FAILED))
            running.cancel()
            await asyncio.Event().wait()

    running = asyncio.create_task(run())
    with pytest.raises(asyncio.CancelledError):
        await running
    assert [] == host.live


async def test_without_a_failure_fail_fast_changes_nothing(host: ScriptedHost, clock: ManualClock) -> None:
    """A clean exit, and restarts within the intensity."""
    async with ActorSystem(host=host, clock=clock, fail_fast=True) as system:
        await system.supervise(group("app", "a", strategy="one_for_all"))
        await crash(system, "a")
        await clock.advance(1)
        assert b"1" == await handle(system, "a").ask(b"count", timeout=None)
