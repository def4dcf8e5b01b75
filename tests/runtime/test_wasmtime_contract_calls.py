"""What the runtime takes for granted of wasmtime: guest calls as futures, epochs, and Stores between threads."""

import contextlib
import ctypes
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from ctypes import c_size_t, c_void_p

import pytest
from wasmtime import _ffi

from airssys_wasm.runtime.abi import capi
from airssys_wasm.runtime.abi.codec import codec_for
from airssys_wasm.runtime.abi.types import BYTES, FuncType, Scalar
from airssys_wasm.runtime.abi.values import Keep, address_of
from airssys_wasm.runtime.abi.wasi import give_empty_wasi
from airssys_wasm.testing.leaks import resident_bytes
from tests.runtime.bare import FOREVER, BareEngine, BareStore
from tests.runtime.guests import binary
from tests.runtime.toys import NUMBERS

U32 = Scalar("u32")
SAME = FuncType((("n", U32),), U32)
ZEROS = FuncType((("n", U32),), BYTES)
MIB = 1 << 20
FUNC_CALL = ctypes.CFUNCTYPE(c_void_p, c_void_p, c_void_p, c_void_p, c_size_t, c_void_p, c_size_t)(
    ("wasmtime_component_func_call", _ffi.dll)
)


@pytest.fixture
def store(bare: BareEngine) -> Iterator[BareStore]:
    """An instance of NUMBERS whose first slice lasts for ever."""
    store = BareStore.ready(bare, NUMBERS)
    yield store
    store.close()


@pytest.fixture
def busy(store: BareStore) -> BareStore:
    """The same with its slice over at once, and further ones that last for ever."""
    capi.context_set_epoch_deadline(store.context, 0)
    return store


def number(value: int) -> bytes:
    """The image of a u32."""
    return codec_for(U32).lower(value, Keep())


def test_a_call_that_nothing_holds_up_ends_with_its_first_poll(store: BareStore) -> None:
    """True, its result in the slot, and no error."""
    future = store.begin("same", number(41))
    assert future.poll()
    assert future.delete() is None
    assert 41 == store.lift(SAME)


def test_a_poll_that_outlives_its_slice_returns_false_and_the_next_goes_on(busy: BareStore) -> None:
    """An epoch that has come is no error."""
    future = busy.begin("spin", number(5))
    assert not future.poll()
    assert future.poll()
    assert (None, 5) == (future.delete(), busy.lift(SAME))


def test_each_slice_counts_from_the_moment_of_its_resume(bare: BareEngine, store: BareStore) -> None:
    """Ticks that pass while a call waits for its turn do not shorten the turn."""
    store.yield_every(10)
    future = store.begin("loop", results=0)
    bare.tick(1000)
    with ticking(bare) as ticks:
        assert not future.poll()
        first = len(ticks)
        assert not future.poll()
    future.delete()
    assert len(ticks) - first >= 10


def test_the_length_of_slices_can_be_changed_between_polls(bare: BareEngine, busy: BareStore) -> None:
    """It holds one slice late: the next one was measured when the last one ended."""
    capi.context_yield_at_epoch(busy.context, 1)
    future = busy.begin("loop", results=0)
    with ticking(bare) as ticks:
        assert not future.poll()
        capi.context_yield_at_epoch(busy.context, 50)
        before = len(ticks)
        assert not future.poll()
        late = len(ticks)
        assert not future.poll()
    future.delete()
    assert (True, True) == (late - before < 50, len(ticks) - late >= 49)


def test_arguments_are_copied_by_the_first_poll(busy: BareStore) -> None:
    """Changed afterwards, they do not reach the guest: one frame a thread would do."""
    images = bytearray(number(41))
    future = busy.begin("spin", images)
    images[:] = number(42)
    assert not future.poll()
    images[:] = number(43)
    assert future.finish() is None
    assert 42 == busy.lift(SAME)


def test_deleting_a_pending_call_cancels_it_and_spends_the_instance(busy: BareStore) -> None:
    """A spent instance takes no further call; the Store has to be made anew."""
    future = busy.begin("loop", results=0)
    assert not future.poll()
    assert future.delete() is None
    assert "cannot enter component instance" in (busy.begin("same", number(1)).finish() or "")


def test_a_call_that_was_never_polled_can_be_deleted(store: BareStore) -> None:
    """It has not begun, so that the instance is good for the next."""
    store.begin("same", number(1)).delete()
    assert 2 == store.call("same", SAME, 2)


def test_a_trap_spends_the_instance(bare: BareEngine) -> None:
    """The next call says so."""
    store = BareStore.ready(bare, NUMBERS)
    capi.store_limiter(store.store, 2 * 65536, -1, -1, -1, -1)
    assert "unreachable" in (store.begin("bytes", number(3 * MIB)).finish() or "")
    assert "cannot enter component instance" in (store.begin("same", number(1)).finish() or "")
    store.close()


def test_a_new_store_has_no_time(bare: BareEngine) -> None:
    """Its epoch deadline is 0 and its default is to trap: both are set before anything runs."""
    store = BareStore(bare, bare.compile(NUMBERS))
    capi.context_set_epoch_deadline(store.context, FOREVER)
    assert store.instantiate().finish() is None
    capi.context_set_epoch_deadline(store.context, 0)
    assert "interrupt" in (store.begin("same", number(1)).finish() or "")
    store.close()


def test_a_new_store_has_no_fuel() -> None:
    """On an engine that meters it; refilled before each call."""
    metered = BareEngine(metered=True)
    store = BareStore.ready(metered, NUMBERS)
    assert "all fuel consumed" in (store.begin("spin", number(1000)).finish() or "")
    store.close()
    store = BareStore.ready(metered, NUMBERS)
    assert not capi.context_set_fuel(store.context, 100_000)
    assert 1000 == store.call("spin", SAME, 1000)
    store.close()


def test_fuel_cannot_be_set_on_an_engine_without_it(store: BareStore) -> None:
    """An error, which the limiter never sees because it asks for fuel only where it is metered."""
    assert capi.take_error(capi.context_set_fuel(store.context, 1)) is not None


def test_a_store_that_yields_refuses_synchronous_calls(store: BareStore) -> None:
    """Everything goes through futures."""
    arguments = number(1)
    error = FUNC_CALL(
        ctypes.addressof(store.function("same")),
        store.context,
        address_of(arguments),
        1,
        ctypes.addressof(store.result),
        1,
    )
    text = capi.take_error(error)
    assert text is not None
    assert "async" in text


def test_a_call_moves_between_threads(bare: BareEngine, store: BareStore) -> None:
    """Polled here and there in turns until it ends: one thread at a time."""
    store.yield_every(1)
    future, polls = store.begin("spin", number(50_000_000)), 0
    with ticking(bare), ThreadPoolExecutor(1) as other:
        while not (future.poll() or other.submit(future.poll).result()):
            polls += 1
    assert polls > 1
    assert future.delete() is None
    assert 50_000_000 == store.lift(SAME)


def test_a_result_slot_gives_its_old_content_back_when_it_is_assigned(store: BareStore) -> None:
    """200 answers of 2 MiB of component values each leave no 400 MiB behind."""
    store.call("bytes", ZEROS, MIB // 16)
    before = resident_bytes()
    for _ in range(200):
        assert store.begin("bytes", number(MIB // 16)).finish() is None
    assert resident_bytes() - before < 100 * MIB


def test_wasi_works_inside_an_asynchronous_call(bare: BareEngine) -> None:
    """It blocks its thread, though: the poll returns when the sleep is over."""
    bare.linker.add_wasip2()
    store = BareStore(bare, bare.compile(binary("wasi")))
    written = list[bytes]()
    give_empty_wasi(store.context, written.append, written.append)
    store.yield_every(FOREVER)
    assert store.instantiate().finish() is None
    store.close()


@contextlib.contextmanager
def ticking(engine: BareEngine) -> Iterator[list[int]]:
    """Move the epoch on every millisecond; with a list that grows with each tick."""
    done, ticks = threading.Event(), list[int]()

    def tick() -> None:
        while not done.wait(0.001):
            ticks.append(1)
            engine.tick()

    thread = threading.Thread(target=tick)
    thread.start()
    try:
        yield ticks
    finally:
        done.set()
        thread.join()
