"""Components with functions of their own as actors: the same mailbox, supervision, limits and statistics."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import pytest

from airssys_wasm import (
    ActorHandle,
    ActorState,
    ActorSystem,
    BadValue,
    CallError,
    ComponentCrashed,
    ComponentId,
    ComponentSpec,
    DeadLetterReason,
    DeadlineExceeded,
    Err,
    ExportNotFound,
    FunctionNotFound,
    HostFunctionError,
    ImportsUnfit,
    Limits,
    Ok,
    PayloadTooLarge,
    RequestTimeout,
    SupervisorSpec,
    Trap,
)
from tests.runtime.plugins import API, KV, Kv

GUESTS: Final = Path(__file__).parent.parent / "guests"
PLUGIN: Final = GUESTS / "plugin.wasm"
ID: Final = ComponentId("demo", "plugin", "0")
MANY: Final = 500


@pytest.fixture
async def system() -> AsyncIterator[ActorSystem]:
    """A system of its own."""
    async with ActorSystem() as system:
        yield system


def letters(system: ActorSystem) -> dict[DeadLetterReason, int]:
    """The dead letters that there were."""
    return {reason: count for reason, count in system.statistics().dead_letters.items() if count}


async def load(system: ActorSystem, kv: object = None, **options: Any) -> ActorHandle:
    """The plugin with a `Kv`."""
    return await system.load(ID, PLUGIN, imports={KV: kv or Kv()}, **options)


async def test_functions_are_called_by_name_and_through_proxies(system: ActorSystem) -> None:
    """The same functions, by all the names they have."""
    plugin = await load(system)
    assert "Hello, Ada!" == await plugin.call("my:app/api@1.0.0", "greet", "Ada")
    assert "Hello, Ada!" == await plugin["my:app/api"].greet("Ada")
    assert "Hello, Ada!" == await plugin[API].greet(name="Ada")
    assert "deep-blue" == await plugin.interface(API, timeout=9).next_colour("red")
    assert "InterfaceProxy('my:app/api')" == repr(plugin[API])
    assert plugin[API] == plugin[API]
    assert not hasattr(plugin[API], "_private")


async def test_an_err_is_raised_or_answered(system: ActorSystem) -> None:
    """As its caller likes; either way the guest goes on, and it is counted as an err."""
    plugin = await load(system)
    with pytest.raises(CallError, match="not-found: gone") as caught:
        await plugin[API].look_up("gone")
    assert ("not-found", "gone") == (caught.value.case, caught.value.value.value)
    answer = await plugin.interface(API, raise_err=False).look_up("gone")
    assert Err(caught.value.value) == answer
    await plugin[API].remember("here", "it is")
    assert "it is" == await plugin[API].look_up("here")
    assert Ok("it is") == await plugin.call(API, "look-up", "here", raise_err=False)
    statistics = plugin.statistics()
    assert (3, 2, 0) == (statistics.handled, statistics.guest_errors, statistics.crashes)


async def test_mistakes_of_the_caller_cost_the_component_nothing(system: ActorSystem) -> None:
    """No crash and no err; each is a dead letter, since it was not handled, whether anybody waits for it or not."""
    plugin = await load(system)
    with pytest.raises(TypeError, match=r"params\.name: int is no str"):
        await plugin[API].greet(5)
    with pytest.raises(LookupError, match=r"it exports .*greet"):
        await plugin[API].great("Ada")
    statistics = plugin.statistics()
    assert (0, 0, 0) == (statistics.handled, statistics.guest_errors, statistics.crashes)
    assert {DeadLetterReason.BAD_VALUE: 1, DeadLetterReason.NOT_EXPORTED: 1} == letters(system)


async def test_a_crash_is_supervised(system: ActorSystem) -> None:
    """It ends the call, the component starts again, and its handles have ended with it."""
    plugin = await load(system)
    counter = await plugin[API].Counter(5)
    with pytest.raises(ComponentCrashed) as caught:
        await plugin[API].crash()
    assert isinstance(caught.value.__cause__, Trap)
    assert "Hello, Ada!" == await plugin[API].greet("Ada")
    with pytest.raises(BadValue, match="another instance"):
        await counter.add(1)
    assert (1, 1) == (plugin.statistics().crashes, plugin.statistics().restarts)
    assert {DeadLetterReason.CRASHED: 1, DeadLetterReason.BAD_VALUE: 1} == letters(system)


async def test_limits_hold(system: ActorSystem) -> None:
    """Time of a call, size of what is passed and of what is answered."""
    plugin = await load(system, limits=Limits(max_execution_time=0.5, max_payload_bytes=1000))
    with pytest.raises(ComponentCrashed) as caught:
        await plugin[API].spin()
    assert isinstance(caught.value.__cause__, DeadlineExceeded)
    with pytest.raises(PayloadTooLarge, match="payload of 1001 bytes"):
        await plugin[API].greet("x" * 1001)
    with pytest.raises(ComponentCrashed, match="payload-too-large"):
        await plugin[API].greet("x" * 1000)


async def test_resources_are_objects(system: ActorSystem) -> None:
    """Made, used, passed on; methods are the handle's own."""
    api = (await load(system))[API]
    first, second = await api.Counter(start=5), await api.Counter.zero()
    assert [6, 8] == [await first.add(1), await first.add(2)]
    merged = await api.Counter.merge(first, second)
    assert 9 == await merged.add(number=1)
    with pytest.raises(BadValue, match="passed on"):
        await first.add(1)
    with pytest.raises(FunctionNotFound, match=r"Counter\.sub"):
        await merged.sub(1)
    store = await api.open("mine")
    assert isinstance(store, Kv.Store)


async def test_messages_and_calls_share_the_mailbox(system: ActorSystem) -> None:
    """One at a time, in the order in which they came."""
    order = list[int]()

    class Slow(Kv):
        async def wait(self, number: int) -> int:
            await asyncio.sleep(0)
            order.append(number)
            return number

    plugin = await load(system, Slow())
    await asyncio.gather(*(plugin[API].wait(number) for number in range(20)))
    assert list(range(20)) == order


async def test_a_component_without_the_contract_takes_no_messages(system: ActorSystem) -> None:
    """The asker is told, what was told is a dead letter, and the component goes on."""
    plugin = await load(system)
    with pytest.raises(FunctionNotFound, match="handle-message"):
        await plugin.ask(b"hello")
    await plugin.tell(b"hello")
    assert "Hello, Ada!" == await plugin[API].greet("Ada")
    assert {DeadLetterReason.NOT_EXPORTED: 2} == letters(system)


async def test_a_component_of_the_contract_can_be_called_too(system: ActorSystem) -> None:
    """By its lifecycle's functions, and asked as ever."""
    echo = await system.load(ID, GUESTS / "echo.wasm")
    assert "healthy" == await echo["airssys:core/component-lifecycle"].health()
    assert b"hello" == await echo.ask(b"hello")


async def test_imports_that_do_not_fit_leave_nothing_behind(system: ActorSystem) -> None:
    """All is named at once, and the id is free."""
    with pytest.raises(ImportsUnfit, match=r"get is not provided.*wait is not provided"):
        await system.load(ID, PLUGIN)
    assert system.get(ID) is None
    assert ActorState.RUNNING is (await load(system)).state


async def test_a_tree_takes_imports(system: ActorSystem) -> None:
    """As a load does."""
    child = ComponentSpec(ID, PLUGIN, imports={KV: Kv()})
    spec: SupervisorSpec[ComponentSpec] = SupervisorSpec(name="plugins", children=(child,))  # type: ignore[arg-type]
    await system.supervise(spec)
    plugin = system.get(ID)
    assert plugin is not None
    assert "Hello, Ada!" == await plugin[API].greet("Ada")


async def test_a_component_with_neither_is_refused(system: ActorSystem) -> None:
    """It could not be talked to."""
    with pytest.raises(ExportNotFound):
        await system.load(ID, b"\0asm\x0d\0\x01\0")


async def test_an_upgrade_has_the_same_imports(system: ActorSystem) -> None:
    """The new instance is given what the old one was; handles to the old one have ended."""
    kv = Kv()
    plugin = await load(system, kv)
    counter = await plugin[API].Counter(1)
    await system.upgrade(plugin, PLUGIN)
    await plugin[API].remember("key", "value")
    assert {"key": "value"} == kv.values
    with pytest.raises(BadValue, match="another instance"):
        await counter.add(1)


class Gate(Kv):
    """`wait` counts who waits and lets all go at once."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting = 0
        self.cancelled = 0
        self.change = asyncio.Event()
        self.open = asyncio.Event()

    async def wait(self, number: int) -> int:
        """Fail for 13."""
        self.waiting += 1
        self.change.set()
        try:
            await self.open.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if number == 13:
            raise ZeroDivisionError(number)
        return number * 2

    async def until(self, waiting: int) -> None:
        """Return when that many wait."""
        while self.waiting < waiting:
            self.change.clear()
            await self.change.wait()


async def test_five_hundred_guests_await_a_coroutine_each(system: ActorSystem) -> None:
    """All at once; an exception in one reaches its own caller only, with itself as the cause's cause."""
    gate = Gate()
    compiled = await system.compile(PLUGIN)
    ids = [ComponentId("demo", "plugin", str(number)) for number in range(MANY)]
    plugins = [await system.load(each, compiled, imports={KV: gate}) for each in ids]
    calls = [
        asyncio.get_running_loop().create_task(plugin.call(API, "wait", number, timeout=50))
        for number, plugin in enumerate(plugins)
    ]
    await gate.until(MANY)
    gate.open.set()
    answers = await asyncio.gather(*calls, return_exceptions=True)
    crash = answers[13]
    assert isinstance(crash, ComponentCrashed)
    assert isinstance(crash.__cause__, HostFunctionError)
    assert isinstance(crash.__cause__.__cause__, ZeroDivisionError)
    assert [n * 2 for n in range(MANY) if n != 13] == [answer for n, answer in enumerate(answers) if n != 13]
    assert 1 == sum(plugin.statistics().crashes for plugin in plugins)


@pytest.mark.parametrize("how", ["timeout", "cancel", "unload"])
async def test_the_coroutine_ends_with_the_call(system: ActorSystem, how: str) -> None:
    """When its caller interrupts it, and when the component goes."""
    gate = Gate()
    plugin = await load(system, gate, shutdown="brutal")
    timeout = 0.1 if how == "timeout" else 50
    call = asyncio.get_running_loop().create_task(plugin.call(API, "wait", 1, timeout=timeout, interrupt=True))
    await gate.until(1)
    if how == "cancel":
        call.cancel()
    elif how == "unload":
        await system.unload(plugin)
    with pytest.raises((asyncio.CancelledError, RequestTimeout, Exception)) as caught:
        await call
    assert (
        caught.type.__name__ == {"timeout": "RequestTimeout", "cancel": "CancelledError", "unload": "ActorStopped"}[how]
    )
    if how != "unload":
        assert "Hello, Ada!" == await plugin[API].greet("Ada")
    assert 1 == gate.cancelled


async def test_a_call_that_is_not_interrupted_goes_on(system: ActorSystem) -> None:
    """Its answer is dropped, and its coroutine is not cancelled."""
    gate = Gate()
    plugin = await load(system, gate)
    with pytest.raises(RequestTimeout) as caught:
        await plugin.call(API, "wait", 1, timeout=0.1)
    assert "running" == caught.value.outcome
    gate.open.set()
    assert "Hello, Ada!" == await plugin[API].greet("Ada")
    assert (0, 2) == (gate.cancelled, plugin.statistics().handled)
