"""What the runtime takes for granted of wasmtime: limits, and what no limit interrupts."""

import threading

import pytest

from airssys_wasm.core.limits import MIB, VALUE_PATH_MAX_PAYLOAD_BYTES
from airssys_wasm.runtime.abi import capi
from airssys_wasm.runtime.abi.codec import codec_for
from airssys_wasm.runtime.abi.types import BYTES, FuncType, Scalar
from airssys_wasm.runtime.abi.values import Keep
from tests.runtime.bare import FOREVER, BareEngine, BareStore
from tests.runtime.toys import NUMBERS, component

U32 = Scalar("u32")
GROW = FuncType((("pages", U32),), U32)
ZEROS = FuncType((("n", U32),), BYTES)
PAGE = 65536
REFUSED = 2**32 - 1


def number(value: int) -> bytes:
    """The image of a u32."""
    return codec_for(U32).lower(value, Keep())


def limited(bare: BareEngine, data: bytes, *bounds: int) -> BareStore:
    """A Store with a limiter, its instance not made yet."""
    store = BareStore(bare, bare.compile(data))
    capi.store_limiter(store.store, *bounds)
    store.yield_every(FOREVER)
    return store


def test_memory_grow_beyond_the_limit_answers_minus_one(bare: BareEngine) -> None:
    """The guest decides what follows; up to the limit it gets what it asks for."""
    store = limited(bare, NUMBERS, 3 * PAGE, -1, -1, -1, -1)
    assert store.instantiate().finish() is None
    assert [1, REFUSED, 3] == [store.call("grow", GROW, pages) for pages in (2, 1, 0)]
    store.close()


def test_a_first_memory_beyond_the_limit_is_an_error(bare: BareEngine) -> None:
    """At instantiation."""
    store = limited(bare, component({}, memory="4"), 3 * PAGE, -1, -1, -1, -1)
    assert "memory minimum size of 4 pages exceeds memory limits" in (store.instantiate().finish() or "")
    store.close()


def test_a_first_table_beyond_the_limit_is_an_error(bare: BareEngine) -> None:
    """At instantiation."""
    store = limited(bare, component({}, core="(table 11 funcref)"), -1, 10, -1, -1, -1)
    assert "table minimum size of 11 elements exceeds table limits" in (store.instantiate().finish() or "")
    store.close()


def test_memories_are_bounded_each_by_itself(bare: BareEngine) -> None:
    """Two of two pages pass a limit of two pages: hence a limit of one memory."""
    data = component({}, core="(memory 2)", memory="2")
    store = limited(bare, data, 2 * PAGE, -1, -1, -1, -1)
    assert store.instantiate().finish() is None
    store.close()
    store = limited(bare, data, 2 * PAGE, -1, -1, -1, 1)
    assert store.instantiate().finish() is not None
    store.close()


def test_one_bulk_instruction_is_not_interrupted(bare: BareEngine) -> None:
    """Filling 256 MiB takes a few polls at most, however many epochs pass: such calls belong on a thread."""
    store = BareStore.ready(bare, NUMBERS)
    store.yield_every(1)
    done = threading.Event()

    def tick() -> None:
        while not done.wait(0.001):
            bare.tick()

    thread = threading.Thread(target=tick)
    thread.start()
    future, polls = store.begin("fill", number(256), results=0), 1
    while not future.poll():
        polls += 1
    done.set()
    thread.join()
    assert future.delete() is None
    assert polls < 10
    store.close()


def test_the_largest_payload_of_the_value_path_crosses(bare: BareEngine) -> None:
    """2 MiB as component values."""
    store = BareStore.ready(bare, NUMBERS)
    assert bytes(VALUE_PATH_MAX_PAYLOAD_BYTES) == store.call("bytes", ZEROS, VALUE_PATH_MAX_PAYLOAD_BYTES)
    store.close()


def test_larger_payloads_run_into_wasmtimes_copy_limit(bare: BareEngine) -> None:
    """128 MiB at 48 bytes an element, an error that spends the instance."""
    store = BareStore.ready(bare, NUMBERS)
    assert "too much data is being copied" in (store.begin("bytes", number(3 * MIB)).finish() or "")
    store.close()


@pytest.mark.parametrize(("fuel", "ended"), [(10_000, True), (500, False)])
def test_fuel_is_per_store_and_can_be_set_again(fuel: int, ended: bool) -> None:
    """Setting it replaces what was left: refilled, not added up."""
    store = BareStore.ready(BareEngine(metered=True), NUMBERS)
    for _ in range(3):
        assert not capi.context_set_fuel(store.context, fuel)
    text = store.begin("spin", number(500)).finish()
    assert ended is (text is None)
    assert ended or "all fuel consumed by WebAssembly" in (text or "")
    store.close()
