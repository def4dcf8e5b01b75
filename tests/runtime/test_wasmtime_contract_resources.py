"""What the runtime takes for granted of wasmtime: how the host drops a resource that a guest defines."""

import ctypes
from collections.abc import Iterator
from ctypes import c_void_p
from typing import Any

import pytest
from wasmtime import _ffi

from airssys_wasm.runtime.abi import capi
from airssys_wasm.runtime.abi.codec import codec_for
from airssys_wasm.runtime.abi.drops import drops_tail
from airssys_wasm.runtime.abi.types import FuncType, Scalar
from airssys_wasm.runtime.abi.values import SIZED, WORDS, Keep
from airssys_wasm.runtime.wat import assemble
from tests.runtime.bare import BareEngine, BareStore

U32 = Scalar("u32")
COUNT = FuncType((), U32)
RESOURCE = 21
"""The kind of a component value that is a handle."""

RESOURCE_DROP = ctypes.CFUNCTYPE(c_void_p, c_void_p, c_void_p)(("wasmtime_component_resource_any_drop", _ffi.dll))


def thing(dtor: str = "", *, around: bool = False) -> bytes:
    """A component with a resource `thing`, whose destructor counts itself and then does something; a tail drops it."""
    inner = f"""
        (core module $m
          (global $n (mut i32) (i32.const 0))
          (func (export "dtor") (param i32) (global.set $n (i32.add (global.get $n) (i32.const 1))) {dtor})
          (func (export "count") (result i32) (global.get $n)))
        (core instance $i (instantiate $m))
        (alias core export $i "dtor" (core func $dtor))
        (alias core export $i "count" (core func $count))
        (type $r (resource (rep i32) (dtor (core func $dtor))))
        (core func $new (canon resource.new $r))
        (export $t "thing" (type $r))
        (func (export "make") (param "rep" u32) (result (own $t)) (canon lift (core func $new)))
        (func (export "count") (result u32) (canon lift (core func $count)))"""
    outer = f"""(component $c {inner}) (instance $i (instantiate $c))
        (alias export $i "thing" (type $t)) (export $x "thing" (type $t))
        (alias export $i "make" (func $make))
        (export "make" (func $make) (func (param "rep" u32) (result (own $x))))
        (alias export $i "count" (func $count)) (export "count" (func $count))"""
    data = assemble(f"(component {outer if around else inner})")
    return data + drops_tail(data)


class Thing:
    """A Store with an instance of such a component, and a handle that the host owns."""

    def __init__(self, bare: BareEngine, data: bytes) -> None:
        self.store = BareStore.ready(bare, data)
        future = self.store.begin("make", codec_for(U32).lower(7, Keep()))
        assert future.finish() is None
        self.handle: int = SIZED.unpack_from(self.store.result.result(), 8)[0]
        clone = capi.resource_any_clone(self.handle)  # the slot's own goes with the next result
        self.handle = clone

    def drop(self) -> Any:
        """Begin to call the function that drops it."""
        return self.store.begin("airssys-drop0", WORDS.pack(RESOURCE, self.handle, 0, 0), results=0)

    def dropped(self) -> object:
        """How often the destructor has run."""
        assert self.store.begin("count").finish() is None
        return self.store.lift(COUNT)

    def close(self) -> None:
        """Free both."""
        capi.resource_any_delete(self.handle)
        self.store.close()


@pytest.fixture
def plain(bare: BareEngine) -> Iterator[Thing]:
    """One whose destructor does no more than count."""
    thing_ = Thing(bare, thing())
    yield thing_
    thing_.close()


def test_the_c_api_drops_nothing_in_a_store_that_yields(plain: Thing) -> None:
    """Its one function for that is synchronous and refuses; the handle is then as it was. Hence the functions."""
    text = capi.take_error(RESOURCE_DROP(plain.store.context, plain.handle))
    assert text is not None
    assert "async" in text
    assert 0 == plain.dropped()
    assert plain.drop().finish() is None
    assert 1 == plain.dropped()


def test_there_is_no_asynchronous_way_to_drop_in_the_c_api() -> None:
    """Should there be one some day, it would be the better way."""
    for name in ("wasmtime_component_resource_any_drop_async", "wasmtime_component_resource_drop_async"):
        assert not hasattr(_ffi.dll, name)


@pytest.mark.parametrize("around", [False, True])
def test_a_lifted_resource_drop_runs_the_destructor(bare: BareEngine, around: bool) -> None:
    """Also of a resource that a component inside defines: the outer one may enter it."""
    one = Thing(bare, thing(around=around))
    assert one.drop().finish() is None
    assert 1 == one.dropped()
    one.close()


def test_a_handle_is_used_up_once(plain: Thing) -> None:
    """A second use is an error, which is why handles are checked before."""
    assert plain.drop().finish() is None
    text = plain.drop().finish()
    assert text is not None
    assert "handle" in text


def test_a_destructor_gives_way_at_an_epoch_and_goes_on(bare: BareEngine) -> None:
    """Like any code of the guest's."""
    one = Thing(bare, thing("(loop $l (br_if $l (i32.lt_u (global.get $n) (i32.const 0))))"))
    capi.context_set_epoch_deadline(one.store.context, 0)
    future = one.drop()
    assert not future.poll()
    assert future.finish() is None
    assert 1 == one.dropped()
    one.close()


def test_a_destructor_that_never_ends_can_be_cancelled(bare: BareEngine) -> None:
    """Which spends the instance, as any cancelled call does."""
    one = Thing(bare, thing("(loop $l (br $l))"))
    capi.context_set_epoch_deadline(one.store.context, 0)
    future = one.drop()
    assert not future.poll()
    future.delete()
    text = one.store.begin("count").finish()
    assert text is not None
    assert "cannot enter component instance" in text
    one.close()


def test_a_destructor_that_traps_is_an_error_of_the_call(bare: BareEngine) -> None:
    """And spends the instance."""
    one = Thing(bare, thing("unreachable"))
    assert "unreachable" in (one.drop().finish() or "")
    assert "cannot enter" in (one.store.begin("count").finish() or "")
    one.close()


def test_a_store_that_goes_does_not_run_destructors(bare: BareEngine) -> None:
    """A handle that was not dropped just ends: here a trap in it would be seen."""
    one = Thing(bare, thing("unreachable"))
    one.close()
