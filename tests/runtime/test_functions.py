"""A component's own functions, called from Python."""

import threading
from typing import Any

import pytest

from airssys_wasm.core.calls import BadType, BadValue, Err, FunctionNotFound, Given, Invocation, Ok, Some
from airssys_wasm.core.errors import ExecutionError, PayloadTooLarge, Trap
from airssys_wasm.core.limits import Limits
from airssys_wasm.core.ports import HostState
from airssys_wasm.runtime.abi.guest_resource import GuestResource
from airssys_wasm.runtime.engine import WasmtimeEngine
from airssys_wasm.runtime.functions import Function
from tests.runtime.guests import GUEST, binary, message
from tests.runtime.plugins import API, Kv, Plugin, called, start_plugin


async def test_a_function_is_called_by_either_name(plugin: Plugin) -> None:
    """Of WIT and of Python; its interface with its version and without; arguments by position and by name."""
    assert "Hello, Ada!" == await plugin("greet", "Ada")
    assert "Hello, Ada!" == await plugin("greet", name="Ada")
    assert 7 == await plugin("size-of", ("circle", 7))
    assert 7 == await plugin("size_of", shape=("circle", 7))
    assert "Hello, Ada!" == await plugin.guest.call(Invocation(f"{API}@1.0.0", "greet", ("Ada",), {}))


async def test_values_have_their_classes(plugin: Plugin) -> None:
    """Records, variants, enums and flags, in and out."""
    middle = await plugin("middle", {"x": 0, "y": 0}, {"x": 10, "y": -20})
    assert "Point(x=5, y=-10)" == repr(middle)
    assert middle == await plugin("middle", middle, middle)
    assert 30 == await plugin("size_of", ("line", (middle, {"x": 25, "y": 0})))
    assert "deep-blue" == await plugin("next_colour", "red")
    assert {"WRITE", "RUN_IT"} == {flag.name for flag in await plugin("other_access", {"read"})}


async def test_a_result_is_ok_or_err(plugin: Plugin) -> None:
    """With the err's class."""
    await plugin("remember", "key", "value")
    assert Ok("value") == await plugin("look_up", "key")
    answer = await plugin("look_up", "none")
    assert isinstance(answer, Err)
    assert ("not-found", "none") == (answer.value.tag, answer.value.value)


@pytest.mark.parametrize(
    ("arguments", "keywords", "text"),
    [
        ((5,), {}, "params.name: int is no str"),
        ((), {}, "params.name: is missing"),
        (("a", "b"), {}, r"greet: takes 1 arguments \(name\), not 2"),
        (("a",), {"name": "b"}, "params.name: is given twice"),
        (("a",), {"nome": "b"}, "params.nome: is no parameter"),
    ],
)
async def test_wrong_arguments_are_type_errors_with_their_place(
    plugin: Plugin, arguments: tuple[Any, ...], keywords: dict[str, Any], text: str
) -> None:
    """The guest has not run, and goes on."""
    with pytest.raises(BadType, match=text):
        await plugin("greet", *arguments, **keywords)
    assert "Hello, Ada!" == await plugin("greet", "Ada")


async def test_the_place_leads_inside_a_value(plugin: Plugin) -> None:
    """Through records, variants and tuples."""
    with pytest.raises(BadValue, match=r"params\.shape\.line\[1\]\.y: 2147483648 is no s32") as caught:
        await plugin("size_of", ("line", ({"x": 0, "y": 0}, {"x": 0, "y": 2**31})))
    assert not isinstance(caught.value, TypeError)


@pytest.mark.parametrize(
    ("interface", "name", "text"),
    [
        (API, "great", r"no function my:app/api#great; it exports .*greet, keep, look_up"),
        ("my:app/apy", "greet", r"no function my:app/apy#greet; it exports my:app/api@1\.0\.0"),
        (f"{API}@2.0.0", "greet", "no function my:app/api@2.0.0#greet"),
        ("", "greet", "no function #?greet"),
    ],
)
async def test_a_function_that_is_not_there_is_named_with_those_that_are(
    plugin: Plugin, interface: str, name: str, text: str
) -> None:
    """In their Python names."""
    with pytest.raises(FunctionNotFound, match=text):
        await plugin.guest.call(Invocation(interface, name, (), {}))


async def test_a_component_without_the_contract_is_silent_about_it(plugin: Plugin) -> None:
    """It starts and ends without a word, and takes no messages."""
    await plugin.guest.shutdown()
    with pytest.raises(FunctionNotFound, match="handle-message"):
        await plugin.guest.handle_message(message())


async def test_a_trap_spends_the_instance(plugin: Plugin) -> None:
    """As in a message."""
    with pytest.raises(Trap, match="unreachable"):
        await plugin("crash")
    with pytest.raises(ExecutionError, match="spent"):
        await plugin("greet", "Ada")


async def test_an_answer_over_the_limit_is_refused(engine: WasmtimeEngine) -> None:
    """Arguments are checked where they are sent."""
    guest = await start_plugin(engine, Kv(), Limits(max_payload_bytes=100))
    try:
        with pytest.raises(PayloadTooLarge, match="answer of 107 bytes"):
            await called(guest, "greet", "x" * 99)
    finally:
        await guest.aclose()


async def test_a_resource_of_the_guest_is_a_handle(plugin: Plugin) -> None:
    """Lent by its methods, used up where it is passed on."""
    first, second = await plugin("Counter", 5), await plugin("Counter.zero")
    assert isinstance(first, GuestResource)
    assert f"{API}@1.0.0#counter" == first.resource
    assert [6, 8] == [await plugin("Counter.add", first, n) for n in (1, 2)]
    merged = await plugin("[static]counter.merge", first, second)
    assert [False, False, True] == [handle.usable for handle in (first, second, merged)]
    assert 9 == await plugin("[method]counter.add", merged, 1)
    assert 2 == await plugin("dropped")


async def test_a_handle_that_was_passed_on_is_refused(plugin: Plugin) -> None:
    """Also twice in one call, after which it is as before; the instance goes on."""
    counter, other = await plugin("Counter", 5), await plugin("Counter", 6)
    with pytest.raises(BadValue, match=r"params\.second: .*passed on"):
        await plugin("Counter.merge", counter, counter)
    assert counter.usable
    merged = await plugin("Counter.merge", counter, other)
    for name, arguments in (("Counter.add", (counter, 1)), ("Counter.merge", (merged, counter))):
        with pytest.raises(BadValue, match="passed on"):
            await plugin(name, *arguments)
    assert 11 == await plugin("Counter.add", merged, 0)


async def test_handles_of_others_are_refused(engine: WasmtimeEngine, plugin: Plugin) -> None:
    """Of another instance of the same component, of one that has ended, and what is no handle at all."""
    stranger = await start_plugin(engine, Kv())
    counter = await called(stranger, "Counter", 5)
    with pytest.raises(BadValue, match="another instance"):
        await plugin("Counter.add", counter, 1)
    await stranger.aclose()
    assert "has ended" in repr(counter)
    with pytest.raises(BadValue, match="another instance"):
        await plugin("Counter.add", counter, 1)
    for wrong in (5, None, object(), Kv.Store("mine")):
        with pytest.raises(BadType, match=r"params\.self"):
            await plugin("Counter.add", wrong, 1)
    with pytest.raises(BadType, match="no Store"):
        await plugin("read", await plugin("Counter", 1), "key")


async def test_a_component_of_the_contract_has_functions_too(engine: WasmtimeEngine) -> None:
    """Those of its lifecycle."""
    compiled = await engine.compile(binary("echo"), Limits())
    guest = await engine.start(await engine.bind(compiled, Given()), HostState(GUEST))
    try:
        health = await guest.call(Invocation("airssys:core/component-lifecycle", "health", (), {}))
        assert "healthy" == health
    finally:
        await guest.aclose()


@pytest.mark.parametrize(
    ("value", "size"),
    [
        ("x" * 5000, 5000),
        (b"x" * 5000, 5000),
        (["x"] * 2000, 4000),
        ({"key": ("text", b"x" * 2000)}, 2007),
        (Ok(Some([b"x" * 7])), 10),
        (5, 0),
        (None, 0),
    ],
    ids=lambda value: type(value).__name__,
)
def test_how_large_arguments_are(value: Any, size: int) -> None:
    """Bytes of text and bytes, and one for each item, however deep; also by name."""
    invocation = Invocation(API, "greet", (value,), {"other": "abc"})
    assert size + 3 == invocation.size


def test_many_items_are_weighed_a_few_at_a_time() -> None:
    """Asked for at once the size is the same."""
    value = [(number, "text") for number in range(3000)]
    whole, paced = (Invocation(API, "greet", (value,), {}) for _ in range(2))
    rounds = 1
    while not paced.weigh():
        rounds += 1
    assert rounds > 3
    assert whole.size == paced.size == 3000 + 2 * 3000 + 4 * 3000


def test_a_list_in_itself_has_a_size() -> None:
    """It fits no WIT type, which the call is told when its turn comes."""
    value: list[Any] = []
    value.append(value)
    assert 0 < Invocation(API, "greet", (value,), {}).size < 1000


async def test_codecs_are_made_in_a_thread(engine: WasmtimeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the component starts: those of large types take long."""
    threads = list[threading.Thread]()
    make = Function.make_codecs

    def made(self: Function) -> None:
        threads.append(threading.current_thread())
        make(self)

    monkeypatch.setattr(Function, "make_codecs", made)
    guest = await start_plugin(engine, Kv())
    assert threads
    assert threading.current_thread() not in threads
    function = guest._compiled.signatures.functions.find(API, "greet")
    assert {"params", "result"} <= vars(function).keys()
    await guest.aclose()
