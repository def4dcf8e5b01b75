"""Python objects behind what a component imports."""

import asyncio
import threading
import types
from collections.abc import Iterator
from typing import Any

import pytest

from airssys_wasm.core.calls import BadValue, Err, Given, ImportsUnfit, Ok, blocking
from airssys_wasm.core.errors import ConfigError, HostFunctionError, Interrupted
from airssys_wasm.core.limits import Limits
from airssys_wasm.runtime.abi.types import STRING, U32, EnumType, TupleType, WitType, variant
from airssys_wasm.runtime.engine import WasmtimeEngine
from airssys_wasm.runtime.raised import err_of
from tests.runtime.guests import binary
from tests.runtime.plugins import KV, Kv, NotFound, Plugin, called, start_plugin


@pytest.fixture(autouse=True)
def _nothing_left_yet() -> Iterator[None]:
    """Each test counts the stores that were left from none."""
    Kv.Store.left.clear()
    yield
    Kv.Store.left.clear()


async def refused(engine: WasmtimeEngine, imports: Any) -> tuple[str, ...]:
    """What is wrong with imports."""
    compiled = await engine.compile(binary("plugin"), Limits())
    with pytest.raises(ImportsUnfit) as caught:
        await engine.bind(compiled, Given(imports))
    return caught.value.problems


async def test_all_that_is_missing_is_named_at_once(engine: WasmtimeEngine) -> None:
    """Without anything, and with an object that has nothing."""
    functions = ["[constructor]store", "[method]store.get", "[static]store.find", "get", "set", "wait"]
    provided = [f"{KV}@1.0.0#{name} is not provided by the host" for name in functions]
    assert provided == list(await refused(engine, {}))
    assert provided == list(await refused(engine, {"my:app/kw": Kv(), f"{KV}@2.0.0": Kv()}))
    assert [f"{KV}@1.0.0#{name}" for name in functions] == [
        problem.split(": ")[0] for problem in await refused(engine, {KV: object()})
    ]


async def test_what_does_not_fit_is_named_with_both_sides(engine: WasmtimeEngine) -> None:
    """What is called with what; what is no class, and no function."""

    class Wrong(Kv):
        set = None  # type: ignore[assignment]
        Store = None  # type: ignore[assignment]

        def get(self) -> str:  # type: ignore[override]
            return ""

    assert [
        f"{KV}@1.0.0#[constructor]store: Wrong has no Store",
        f"{KV}@1.0.0#[method]store.get: Wrong.Store has no get",
        f"{KV}@1.0.0#[static]store.find: Wrong.Store has no find",
        f"{KV}@1.0.0#get: Wrong.get() -> str is called with (key): too many positional arguments",
        f"{KV}@1.0.0#set: Wrong has no set",
    ] == list(await refused(engine, {KV: Wrong()}))


@pytest.mark.parametrize("key", [KV, f"{KV}@1.0.0", f"{KV}@1.2.3"])
async def test_an_interface_is_found_by_name_and_compatible_version(engine: WasmtimeEngine, key: str) -> None:
    """Also when more is given than the component imports."""
    compiled = await engine.compile(binary("plugin"), Limits())
    bound = await engine.bind(compiled, Given({key: Kv(), "my:app/other": object()}))
    assert bound.linkage is not None


@pytest.mark.parametrize("imports", [{"airssys:core/storage@1.0.0": Kv()}, {5: Kv()}, [Kv()]])
async def test_imports_that_cannot_be_are_refused(engine: WasmtimeEngine, imports: Any) -> None:
    """The contract's interfaces are the runtime's own."""
    compiled = await engine.compile(binary("plugin"), Limits())
    with pytest.raises(ConfigError, match="imports"):
        await engine.bind(compiled, Given(imports))


async def test_a_module_will_do(engine: WasmtimeEngine) -> None:
    """Its functions are the interface's."""
    module = types.ModuleType("kv")
    kv = Kv()
    vars(module).update(get=kv.get, set=kv.set, wait=kv.wait, Store=Kv.Store)
    guest = await start_plugin(engine, module)
    try:
        await called(guest, "remember", "a", "1")
        assert {"a": "1"} == kv.values
    finally:
        await guest.aclose()


async def test_what_a_function_raises_is_its_err(plugin: Plugin) -> None:
    """By the exception's name, or as the value that it brings."""
    answers = [(await plugin("look_up", key)).value for key in ("gone", "busy", "denied")]
    assert [("not-found", "gone"), ("busy", None)] == [(a.tag, getattr(a, "value", None)) for a in answers[:2]]
    assert (7, "no") == (answers[2].value.code, answers[2].value.text)
    assert Err("no such store") == await plugin("find", "none")
    assert Ok() == await plugin("find", "some")


class NotFoundError(LookupError):
    """The same with Python's usual ending."""


KV_ERROR = variant(not_found=STRING, busy=None, timeout=U32)


@pytest.mark.parametrize(
    ("error", "of", "expected"),
    [
        (ValueError("why"), None, None),
        (ValueError("why"), STRING, "why"),
        (NotFound("key"), KV_ERROR, ("not-found", "key")),
        (NotFoundError("key"), KV_ERROR, ("not-found", "key")),
        (type("Busy", (Exception,), {})(), KV_ERROR, ("busy", None)),
        (type("VeryBusy", (type("Busy", (Exception,), {}),), {})(), KV_ERROR, ("busy", None)),
        (TimeoutError(), EnumType(("timeout", "other")), "timeout"),
    ],
    ids=repr,
)
def test_exceptions_become_errs(error: Exception, of: WitType | None, expected: object) -> None:
    """By the table in `raised.py`."""
    assert expected == err_of(error, of)


@pytest.mark.parametrize("of", [KV_ERROR, U32, TupleType((STRING,))], ids=str)
def test_an_exception_without_a_case_stays_one(of: WitType) -> None:
    """A bug in the host is not the guest's to handle; nor is a case that holds what no exception has."""
    for error in (KeyError("x"), TimeoutError("x")):
        with pytest.raises(type(error)):
            err_of(error, of)


async def test_an_exception_that_is_no_err_ends_the_call(engine: WasmtimeEngine) -> None:
    """With the Python exception as the cause, and the function named."""

    class Broken(Kv):
        def set(self, key: str, value: str) -> None:
            raise ZeroDivisionError(key)

        def get(self, key: str) -> Any:
            return 5

    for function, arguments, cause in (("remember", ("k", "v"), ZeroDivisionError), ("look_up", ("k",), BadValue)):
        guest = await start_plugin(engine, Broken())
        try:
            with pytest.raises(HostFunctionError, match=rf"{KV}@1\.0\.0#[gs]et failed") as caught:
                await called(guest, function, *arguments)
            assert isinstance(caught.value.__cause__, cause)
        finally:
            await guest.aclose()


async def test_an_object_is_the_guests_until_it_drops_it(plugin: Plugin) -> None:
    """Given back it is the same one; dropped it is left, once, before the call has ended."""
    store = await plugin("open", "mine")
    assert "mine/key" == await plugin("read", store, "key")
    assert await plugin("read", store, "") is None
    assert [] == Kv.Store.left
    await plugin("forget", store)
    assert ["mine"] == Kv.Store.left
    await plugin("find", "found")
    assert ["mine", "found"] == Kv.Store.left


async def test_what_a_guest_keeps_is_left_with_its_instance(engine: WasmtimeEngine) -> None:
    """Once, and not what the guest was only lent, also after a call that failed in the middle."""
    kv = Kv()

    async def never(_number: int) -> int:
        raise ZeroDivisionError

    kv.wait = never  # type: ignore[assignment,method-assign]
    guest = await start_plugin(engine, kv)
    await called(guest, "keep", Kv.Store("kept"))
    await called(guest, "read", Kv.Store("lent"), "key")
    with pytest.raises(HostFunctionError):
        await called(guest, "wait", 1)
    assert [] == Kv.Store.left
    await guest.aclose()
    await guest.aclose()
    assert ["kept"] == Kv.Store.left


async def test_objects_do_not_pile_up(plugin: Plugin) -> None:
    """Neither here nor there: lent and dropped ten thousand times."""
    store = Kv.Store("lent")
    for _ in range(200):
        await plugin("read", store, "key")
        await plugin("forget", Kv.Store("dropped"))
    handles = plugin.guest._fiber.handles
    assert handles is not None
    assert 0 == len(handles)
    assert 200 == len(Kv.Store.left)


async def test_a_wrong_object_is_refused_before_the_guest_runs(plugin: Plugin) -> None:
    """Of another class than the interface's; the instance goes on."""
    for wrong in (5, None, object(), await plugin("Counter", 1)):
        with pytest.raises(BadValue, match=r"params\.store: .* is no Store"):
            await plugin("keep", wrong)
    await plugin("keep", Kv.Store("right"))


async def test_leaving_an_object_may_fail(engine: WasmtimeEngine, caplog: pytest.LogCaptureFixture) -> None:
    """It is logged, and the others are left too."""

    class Sticky(Kv):
        class Store(Kv.Store):
            def __exit__(self, *_error: object) -> None:
                super().__exit__()
                raise ZeroDivisionError

    guest = await start_plugin(engine, Sticky())
    for name in ("one", "two"):
        await called(guest, "keep", Sticky.Store(name))
    await guest.aclose()
    assert ["one", "two"] == Kv.Store.left
    assert 2 == caplog.text.count("could not be left")


async def test_a_host_function_awaits_and_is_cancelled_with_the_call(engine: WasmtimeEngine) -> None:
    """Its coroutine ends before the call does."""
    begun, ended = asyncio.Event(), list[str]()

    class Slow(Kv):
        async def wait(self, number: int) -> int:
            try:
                begun.set()
                return await asyncio.get_running_loop().create_future()  # type: ignore[no-any-return]
            except asyncio.CancelledError:
                ended.append("cancelled")
                raise

    guest = await start_plugin(engine, Slow())
    task = asyncio.get_running_loop().create_task(called(guest, "wait", 1))
    await begun.wait()
    guest.interrupt()
    with pytest.raises(Interrupted):
        await task
    assert ["cancelled"] == ended
    await guest.aclose()


async def test_a_blocking_function_has_a_thread_that_is_left_behind(engine: WasmtimeEngine) -> None:
    """The loop goes on; a call that ends before it counts it until it returns."""
    go, threads = threading.Event(), list[str]()

    class Blocking(Kv):
        @blocking
        def wait(self, number: int) -> int:  # type: ignore[override]
            threads.append(threading.current_thread().name)
            if number:
                go.wait(30)
            return number + 1

        @blocking
        def get(self, key: str) -> str:
            raise NotFound(key)

    guest = await start_plugin(engine, Blocking(), Limits(max_execution_time=0.2))
    assert 1 == await called(guest, "wait", 0)
    assert "gone" == (await called(guest, "look_up", "gone")).value.value
    with pytest.raises(TimeoutError):
        await called(guest, "wait", 1)
    assert 1 == engine.abandoned_threads
    assert all(name.startswith("airssys-host-") for name in threads)
    go.set()
    while engine.abandoned_threads:  # noqa: ASYNC110 - nothing tells when a thread has come back
        await asyncio.sleep(0.001)
    await guest.aclose()
