"""What wasmtime writes to for one Store, and must find where it was: one block of memory."""

import ctypes
from ctypes import c_char, c_size_t, c_uint64
from typing import Final, final

from airssys_wasm.runtime.abi import capi
from airssys_wasm.runtime.abi.capi import FUNC_BYTES, INSTANCE_BYTES, VAL_BYTES, bytes_at


@final
class Places(ctypes.Structure):
    """A result, an error, the instance, the function that is called, and the one of the byte path.

    wasmtime assigns results: it drops what was there, and an empty one is `Bool(false)`, all zeroes.
    """

    __slots__ = ()
    _fields_ = (
        ("kind", c_uint64),
        ("size", c_size_t),
        ("data", c_size_t),
        ("more", c_uint64),
        ("error", c_size_t),
        ("instance", c_char * INSTANCE_BYTES),
        ("function", c_char * FUNC_BYTES),
        ("deliver", c_char * FUNC_BYTES),
    )
    kind: int
    size: int
    """Of a result that has one: text, a list, a record."""
    data: int
    """Where that is."""
    error: int

    def result(self) -> bytes:
        """The image of the result."""
        return bytes_at(ctypes.addressof(self), VAL_BYTES)

    def drop_result(self) -> None:
        """Free what wasmtime has copied for the last result."""
        address = ctypes.addressof(self)
        capi.val_delete(address)
        ctypes.memmove(address, _EMPTY, VAL_BYTES)


RESULT: Final = 0
ERROR: Final = VAL_BYTES
INSTANCE: Final = ERROR + ctypes.sizeof(c_size_t)
FUNCTION: Final = INSTANCE + INSTANCE_BYTES
DELIVER: Final = FUNCTION + FUNC_BYTES
"""Where each begins."""

_EMPTY: Final = bytes(VAL_BYTES)
