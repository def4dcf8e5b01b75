"""What the runtime takes for granted of wasmtime: asynchronous host functions."""

import ctypes
from collections.abc import Iterator
from ctypes import c_void_p
from typing import Any

import pytest

from airssys_wasm.runtime.abi import capi
from airssys_wasm.runtime.abi.codec import codec_for
from airssys_wasm.runtime.abi.pace import Lifting
from airssys_wasm.runtime.abi.types import FuncType, Scalar
from airssys_wasm.runtime.abi.values import Keep, address_of
from airssys_wasm.runtime.hostcall import _CONTINUATION
from tests.runtime.bare import BareEngine, BareStore
from tests.runtime.toys import WAITS

U32 = Scalar("u32")
WAIT = FuncType((("n", U32),), U32)
FINALIZER = ctypes.CFUNCTYPE(None, c_void_p)


class Host:
    """Host functions that wait until they are told to answer."""

    def __init__(self) -> None:
        self.data, self.argument, self.results, self.finalized, self.polls = 0, 0, 0, 0, 0
        self.answered = False
        self.failure: str | None = None
        self._on_poll = capi.CONTINUE_CALLBACK(self._poll)
        self._on_final = FINALIZER(self._finalize)

    def enter(self, *arguments: Any) -> None:
        """The C callback."""
        _env, context, _type, args, count, results, _results, error, continuation = arguments
        assert 1 == count
        self.data, self.results = capi.context_get_data(context), results
        self.argument = codec_for(U32).lift(ctypes.string_at(args, capi.VAL_BYTES), Lifting())
        if self.failure is not None:
            c_void_p.from_address(error).value = capi.error_new(self.failure)
            return
        image = _CONTINUATION.pack(capi.function_address(self._on_poll), 77, capi.function_address(self._on_final))
        ctypes.memmove(continuation, image, len(image))

    def write(self, image: bytes) -> None:
        """Write the result."""
        capi.val_clone(address_of(image), self.results)

    def _poll(self, env: int) -> bool:
        assert 77 == env
        self.polls += 1
        return self.answered

    def _finalize(self, env: int) -> None:
        assert 77 == env
        self.finalized += 1


@pytest.fixture
def host(bare: BareEngine) -> Host:
    """Its functions are the ones that WAITS imports."""
    host = Host()
    bare.define("test:host/calls", {"wait": host.enter, "tell": host.enter})
    return host


@pytest.fixture
def store(bare: BareEngine, host: Host) -> Iterator[BareStore]:
    """An instance of WAITS, whose functions are the host's."""
    assert 0 == host.polls
    store = BareStore(bare, bare.compile(WAITS), data=4711)
    store.yield_every(1 << 40)
    assert store.instantiate().finish() is None
    yield store
    store.close()


def number(value: int) -> bytes:
    """The image of a u32."""
    return codec_for(U32).lower(value, Keep())


def test_a_call_waits_for_its_host_function_and_takes_its_result(store: BareStore, host: Host) -> None:
    """False until the continuation says so; the memory for the result stays where it was all that time."""
    future = store.begin("wait", number(5))
    assert [False, False, False] == [future.poll() for _ in range(3)]
    assert (5, 4711) == (host.argument, host.data)
    host.write(number(6))
    host.answered = True
    assert future.poll()
    assert (None, 6) == (future.delete(), store.lift(WAIT))


def test_false_does_not_tell_a_wait_from_a_slice(store: BareStore, host: Host) -> None:
    """A call may yield before it reaches its host function, so the callback notes the call and the driver looks."""
    capi.context_set_epoch_deadline(store.context, 0)
    future = store.begin("wait", number(5))
    assert (False, 0) == (future.poll(), host.polls)
    assert (False, True) == (future.poll(), host.argument == 5)
    future.delete()


@pytest.mark.parametrize("end", ["answered", "deleted"])
def test_the_finalizer_is_called_once_however_the_call_ends(store: BareStore, host: Host, end: str) -> None:
    """Also when the guest is cancelled in the middle of the host function."""
    future = store.begin("wait", number(5))
    assert not future.poll()
    assert 0 == host.finalized
    if end == "answered":
        host.write(number(6))
        host.answered = True
        assert future.poll()
    future.delete()
    assert 1 == host.finalized


def test_an_error_set_in_the_callback_traps_with_its_text(store: BareStore, host: Host) -> None:
    """This is how a call of a guest that nobody waits for any more is refused."""
    host.failure = "host call refused: because"
    assert "host call refused: because" in (store.begin("wait", number(5)).finish() or "")
    assert 0 == host.polls


@pytest.mark.parametrize("image", [None, codec_for(Scalar("u64")).lower(6, Keep())], ids=["untouched", "u64"])
def test_a_result_of_another_type_is_a_trap(store: BareStore, host: Host, image: bytes | None) -> None:
    """Wasmtime checks what a host function answers, though not what it takes."""
    host.answered = True
    future = store.begin("wait", number(5))
    if image is not None:
        host.answered = False
        assert not future.poll()
        host.write(image)
        host.answered = True
    assert "type mismatch" in (future.finish() or "")


def test_a_host_function_without_result_can_only_be_answered_or_dropped(store: BareStore, host: Host) -> None:
    """Nothing can be written that would trap, so a failing one ends with the whole call."""
    future = store.begin("tell", number(5), results=0)
    assert not future.poll()
    host.answered = True
    assert future.finish() is None


def test_a_guest_cancelled_in_a_host_function_is_spent(store: BareStore) -> None:
    """As any cancelled call."""
    future = store.begin("wait", number(5))
    assert not future.poll()
    assert future.delete() is None
    assert "cannot enter component instance" in (store.begin("wait", number(5)).finish() or "")


def test_cancelling_over_and_over_leaves_nothing_behind(bare: BareEngine, host: Host) -> None:
    """A thousand calls dropped in their host function, a thousand finalizers."""
    component = bare.compile(WAITS)
    for _ in range(1000):
        store = BareStore(bare, component)
        store.yield_every(1 << 40)
        assert store.instantiate().finish() is None
        future = store.begin("wait", number(5))
        assert not future.poll()
        future.delete()
        store.close()
    assert 1000 == host.finalized


def test_a_host_function_can_be_called_from_the_bottom_of_the_guests_stack(bare: BareEngine, host: Host) -> None:
    """The callback runs on the guest's own stack, which has room for Python beyond what the guest may use."""
    host.answered, component = True, bare.compile(WAITS)

    def ended(depth: int) -> str:
        store = BareStore(bare, component)
        store.yield_every(1 << 40)
        assert store.instantiate().finish() is None
        host.argument = -1
        text = store.begin("deep", number(depth)).finish() or ""
        store.close()
        return text

    reached, exhausted = 1, 1 << 20
    assert "call stack exhausted" in ended(exhausted)
    while exhausted - reached > 1:
        middle = (reached + exhausted) // 2
        if "call stack exhausted" in ended(middle):
            exhausted = middle
        else:
            reached = middle
    assert "type mismatch" in ended(reached)  # the host function was called, and answered nothing
    assert (0, True) == (host.argument, reached > 1000)
