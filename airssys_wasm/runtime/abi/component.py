"""Compiling, saving and loading components without copying their bytes, and finding their exports.

wasmtime-py does the same with a copy under the GIL, which would hold the event loop for milliseconds on a component of
some megabytes even though the work is done in a worker thread.
"""

import ctypes
import mmap
import os
from collections.abc import Iterable

from wasmtime import Engine, _bindings
from wasmtime.component import Component

from airssys_wasm.runtime.abi import capi
from airssys_wasm.runtime.abi.values import address_of


class WasmtimeRefused(Exception):
    """wasmtime did not take a component; the text is its reason."""


def compile_component(engine: Engine, data: bytes, tail: bytes = b"") -> Component:
    """Compile a binary, with something appended; takes milliseconds to seconds and lets go of the GIL.

    Raises:
        WasmtimeRefused: It is not a valid component.
    """
    if tail:
        with mmap.mmap(-1, len(data) + len(tail)) as whole:
            block = ctypes.c_char.from_buffer(whole)
            try:
                ctypes.memmove(ctypes.addressof(block), data, len(data))
                whole[len(data) :] = tail
                return _compiled(engine, ctypes.addressof(block), len(whole))
            finally:
                del block
    return _compiled(engine, address_of(data), len(data))


def _compiled(engine: Engine, address: int, size: int) -> Component:
    out = ctypes.c_void_p()
    error = capi.component_new(capi.address(engine.ptr()), address, size, ctypes.addressof(out))
    return _taken(error, out)


def load_component(engine: Engine, path: str) -> Component:
    """Map a component that `save_component` wrote; this trusts the file as native code.

    Raises:
        WasmtimeRefused: The file is damaged, or of another wasmtime or engine setting.
    """
    out = ctypes.c_void_p()
    error = capi.component_deserialize_file(capi.address(engine.ptr()), os.fsencode(path), ctypes.addressof(out))
    return _taken(error, out)


def save_component(component: Component, descriptor: int) -> None:
    """Write the compiled form to an open file.

    Raises:
        OSError: The file could not be written.
        WasmtimeRefused: wasmtime could not serialise it.
    """
    vec = _bindings.wasm_byte_vec_t()
    error = capi.component_serialize(capi.address(component.ptr()), ctypes.addressof(vec))
    text = capi.take_error(error)
    if text is not None:
        raise WasmtimeRefused(text)
    try:
        rest = memoryview((ctypes.c_char * vec.size).from_address(capi.address(vec.data))).cast("B")
        while rest:
            rest = rest[os.write(descriptor, rest) :]
    finally:
        capi.byte_vec_delete(ctypes.addressof(vec))


def _taken(error: int | None, out: ctypes.c_void_p) -> Component:
    text = capi.take_error(error)
    if text is not None:
        raise WasmtimeRefused(text)
    return Component._from_ptr(ctypes.cast(out, ctypes.POINTER(_bindings.wasmtime_component_t)))


class ExportIndexes:
    """Where a component's exported functions are, found once, whatever instances there are."""

    def __init__(self, component: Component, names: Iterable[str]) -> None:
        self._component = component
        self.names = frozenset(names)
        """Of all exports, but for those inside interfaces."""
        self._found: dict[tuple[str, ...], int] = {}

    def find(self, *path: str) -> int:
        """The index of an export by its interface, if it is in one, and its name; raises LookupError."""
        index = self._found.get(path)
        if index is None:
            parent = self.find(*path[:-1]) if len(path) > 1 else None
            encoded = path[-1].encode()
            index = capi.get_export_index(capi.address(self._component.ptr()), parent, encoded, len(encoded))
            if not index:
                raise LookupError("#".join(path))
            self._found[path] = int(index)
        return int(index)

    def __del__(self) -> None:
        for index in self._found.values():
            capi.export_index_delete(index)
