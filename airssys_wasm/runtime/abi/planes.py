"""The host's end of 7-bit planes: bytes that are not ASCII as text that is, and back (`planes.wat` has the format).

Done in WebAssembly, in an instance whose memories are reached by address: 1 MiB takes some 60 µs, in Python 10 ms.
"""

import ctypes
from collections import deque
from functools import cache
from importlib.resources import files
from struct import Struct
from typing import Any, Final, final

import attrs
from wasmtime import Engine, Instance, Memory, Module, Store, wat2wasm

from airssys_wasm.runtime.abi import capi

LEAST_BYTES: Final = 112
"""Bytes of a block; there have to be so many at least."""

_BLOCK_CHARS: Final = 128
_PAGE: Final = 65_536
_RAW_BYTES: Final = 16
"""sizeof(wasmtime_val_raw_t)."""

_ARGUMENTS: Final = Struct("<I12xI12xI12x")
_MOST_IDLE: Final = 4
_LARGEST_IDLE: Final = 64 * _PAGE
"""Bytes of memory that an idle codec may hold."""

_QUICK_BYTES: Final = 65_536
"""Up to this size the GIL is kept; letting go of it can take as long as the work."""


def packed_chars(size: int) -> int:
    """How many characters so many bytes become."""
    return -(-size // LEAST_BYTES) * _BLOCK_CHARS


def wat_source(name: str) -> str:
    """The text of a `.wat` file of this package."""
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


@cache
def planes_module() -> bytes:
    """The codec alone, between two memories of its own."""
    memories = '(memory $plain (export "plain") 1) (memory $frame (export "frame") 1)'
    return bytes(wat2wasm(f"(module $planes {memories} {wat_source('planes.wat')})"))


@final
class Planes:
    """One instance of the codec; one thread at a time."""

    def __init__(self, engine: Engine, module: Module) -> None:
        self._store = Store(engine)
        self._context = capi.address(self._store._context())
        exports: Any = Instance(self._store, module, []).exports(self._store)
        self._plain, self._frame = _Room(self._store, exports["plain"]), _Room(self._store, exports["frame"])
        self._exports = exports["pack"]._func, exports["unpack"]._func
        self._pack, self._unpack = map(ctypes.addressof, self._exports)
        self._values = ctypes.create_string_buffer(3 * _RAW_BYTES)
        self._trap = ctypes.c_void_p()

    @property
    def memory_bytes(self) -> int:
        """What its memories have grown to."""
        return self._plain.size + self._frame.size

    def pack(self, data: bytes) -> tuple[int, int]:
        """Address and number of the characters; they stay there until the next use."""
        self._reserve(len(data))
        ctypes.memmove(self._plain.address, data, len(data))
        self._run(self._pack, len(data))
        return self._frame.address, packed_chars(len(data))

    def unpack(self, address: int, size: int) -> bytes:
        """The bytes that the characters at an address stand for; their number is `packed_chars(size)`."""
        self._reserve(size)
        ctypes.memmove(self._frame.address, address, packed_chars(size))
        self._run(self._unpack, size)
        return ctypes.string_at(self._plain.address, size)

    def _reserve(self, size: int) -> None:
        self._plain.reserve(size)
        self._frame.reserve(packed_chars(size))

    def _run(self, function: int, size: int) -> None:
        """Both take two addresses and the size; they cannot trap within what was reserved."""
        _ARGUMENTS.pack_into(self._values, 0, 0, 0, size)
        call = capi.core_call if size <= _QUICK_BYTES else capi.core_call_unlocked
        text = capi.take_error(
            call(self._context, function, ctypes.addressof(self._values), 3, ctypes.addressof(self._trap))
        )
        if text is not None or self._trap.value:
            raise RuntimeError(text or "the codec trapped")


@final
class _Room:
    """One of the codec's memories."""

    def __init__(self, store: Store, memory: Memory) -> None:
        self._store, self._memory = store, memory
        self._look()

    def reserve(self, size: int) -> None:
        """Make it that large at least."""
        if size > self.size:
            self._memory.grow(self._store, -(-(size - self.size) // _PAGE))
            self._look()

    def _look(self) -> None:
        self.size = self._memory.data_len(self._store)
        self.address = ctypes.addressof(self._memory.data_ptr(self._store).contents)


@final
class PlanesPool:
    """Codecs for as many threads as need one at once; a few that are not too large are kept for the next."""

    def __init__(self) -> None:
        self._engine = Engine()
        self._module = Module(self._engine, planes_module())
        self._idle: deque[Planes] = deque()

    def take(self) -> Planes:
        """A codec for the caller alone; it may come back or be forgotten."""
        try:
            return self._idle.pop()
        except IndexError:
            return Planes(self._engine, self._module)

    def give_back(self, planes: Planes) -> None:
        """The characters of its last use are not needed any more."""
        if len(self._idle) < _MOST_IDLE and planes.memory_bytes <= _LARGEST_IDLE:
            self._idle.append(planes)


@final
@attrs.frozen(eq=False)
class Lease:
    """A codec whose characters are in use; to be released with whatever else a call keeps."""

    pool: PlanesPool
    planes: Planes

    def close(self) -> None:
        """Let go of them."""
        self.pool.give_back(self.planes)
