"""`abi/places.py`: what wasmtime writes to for one Store."""

import ctypes
from typing import Any

from airssys_wasm.runtime.abi import capi, places
from airssys_wasm.runtime.abi.places import Places


def test_each_place_begins_where_it_is_said_to() -> None:
    """The numbers are added to the address of the whole; results and errors need one that is a multiple of eight."""
    fields: Any = Places
    offsets = {name: getattr(fields, name).offset for name in ("kind", "error", "instance", "function", "deliver")}
    said = {
        "kind": places.RESULT,
        "error": places.ERROR,
        "instance": places.INSTANCE,
        "function": places.FUNCTION,
        "deliver": places.DELIVER,
    }
    assert said == offsets
    assert {0} == {offset % 8 for offset in offsets.values()}
    assert ctypes.sizeof(Places) >= places.DELIVER + capi.FUNC_BYTES


def test_a_result_is_empty_at_first_and_again_once_it_was_dropped() -> None:
    """`Bool(false)`; what is dropped twice is freed once."""
    block = Places()
    empty = bytes(capi.VAL_BYTES)
    assert empty == block.result()
    block.kind, block.size = 8, 7  # u64, which owns nothing
    assert empty != block.result()
    block.drop_result()
    block.drop_result()
    assert empty == block.result()
