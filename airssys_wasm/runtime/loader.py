"""From a binary to a compiled component: found, checked, compiled off the loop, kept in a cache.

| source | is |
|---|---|
| bytes | the binary itself |
| Path to a file | read in a worker thread |
| a component's id | `<base>/<namespace>/<name>/<instance>.wasm` below a directory (`ComponentDirectory`) |
"""

import contextlib
import functools
import hashlib
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from io import BufferedReader
from pathlib import Path
from typing import Final, final

import anyio
import anyio.to_thread
import attrs
from wasmtime.component import Component

from airssys_wasm.core.errors import InvalidComponent
from airssys_wasm.core.ids import ComponentId
from airssys_wasm.core.limits import KIB, Limits
from airssys_wasm.core.observations import Compilation
from airssys_wasm.runtime.abi.binary import Unrecognised
from airssys_wasm.runtime.abi.component import WasmtimeRefused, compile_component
from airssys_wasm.runtime.abi.frame import Frames
from airssys_wasm.runtime.cache import CacheStatistics, CompileCache
from airssys_wasm.runtime.compiled import WASI_PREFIX, Build, CompiledComponent, Learned, fits, own_world
from airssys_wasm.runtime.conduct import Conduct
from airssys_wasm.runtime.contract import LIFECYCLE
from airssys_wasm.runtime.extension import DROPS_NAME, drops_of, extension_name, extension_of
from airssys_wasm.runtime.machine import Machine
from airssys_wasm.runtime.traps import split

COMPILE_THREADS: Final = 2
"""Compilations under way at once; each uses all cores by itself."""

COMPONENT_HEADER: Final = b"\0asm\x0d\0\x01\0"
MODULE_HEADER: Final = b"\0asm\x01\0\0\0"
"""The first eight bytes of a component and of a core module: magic, version, layer (component model binary format)."""

_REMEMBERED: Final = 1024
"""Digests whose conduct and codecs are remembered, so that a component that is loaded again is no stranger."""

_HEAD_BYTES: Final = 64
_CHUNK_BYTES: Final = 256 * KIB
_MAGIC: Final = b"\0asm"
_logger: Final = logging.getLogger("airssys_wasm.runtime")
_BYTES: Final = "component bytes"


def check_header(source: str, head: bytes, size: int, max_bytes: int) -> None:
    """Refuse what is no component before wasmtime sees it, by how it begins and how large it is.

    Raises:
        InvalidComponent: It is empty, too large, not WebAssembly, a core module, or of an unknown binary version.
    """
    if size > max_bytes:
        raise InvalidComponent(source, f"{size} bytes are over Limits.max_component_bytes ({max_bytes})")
    if head[:8] == COMPONENT_HEADER:
        return
    raise InvalidComponent(source, _header_problem(head))


def check_digest(source: str, digest: str, expected: str | None) -> None:
    """Refuse a component that is not the one that is meant; raises InvalidComponent."""
    if expected is not None and expected.lower() != digest:
        raise InvalidComponent(source, f"has SHA-256 {digest}, not {expected.lower()}")


def _header_problem(data: bytes) -> str:
    if not data:
        return "is empty"
    if data[:8] == MODULE_HEADER:
        return "is a core module, not a component; make a component of it with `wasm-tools component new`"
    if data[:4] == _MAGIC:
        return f"is WebAssembly of another binary version ({data[4:8].hex(' ')})"
    if data.lstrip()[:1] == b"(":
        return "is WebAssembly text; compile it first (`wasm-tools parse`)"
    return f"is no WebAssembly: it starts with {data[:8]!r}"


@final
@attrs.frozen(eq=False)
class ComponentDirectory:
    """A directory of components by id: `<base>/<namespace>/<name>/<instance>.wasm`."""

    base: Path

    def path_of(self, component: ComponentId) -> Path:
        """Where the component's file has to be.

        Raises:
            InvalidComponent: A symbolic link leads out of the base directory.
        """
        base = self.base.resolve()
        path = (base / component.namespace / component.name / f"{component.instance}.wasm").resolve()
        if not path.is_relative_to(base):
            raise InvalidComponent(str(path), f"is outside the component directory {base}")
        return path


@final
class Loader:
    """Reads, checks and compiles components in worker threads, a bounded number at a time."""

    def __init__(self, cache: CompileCache, *, byte_path: bool = True) -> None:
        self._cache = cache
        self._byte_path = byte_path
        self._frames: Frames | None = None
        self._frames_lock = threading.Lock()
        self._room = anyio.CapacityLimiter(COMPILE_THREADS)
        self._known: dict[str, tuple[Conduct, Learned]] = {}
        self._under_way: dict[object, tuple[str, int, float]] = {}
        """What threads are compiling: its source, its bytes, and since when."""

    @property
    def cache_statistics(self) -> CacheStatistics:
        """What the compile cache has done so far."""
        return self._cache.statistics

    @property
    def compiling(self) -> tuple[Compilation, ...]:
        """What is being compiled at this moment, the longest first."""
        now = time.monotonic()
        return tuple(Compilation(source, size, now - began) for source, size, began in list(self._under_way.values()))

    async def load(
        self, source: bytes | Path, machine: Machine, limits: Limits, sha256: str | None
    ) -> CompiledComponent:
        """Read and compile a component for a machine.

        Raises:
            InvalidComponent: It cannot be read, is no component, does not validate, or its digest differs.
            ExportNotFound: It does not fit the contract.

        Cancellation: the thread goes on in the background and its result is dropped.
        """
        work = functools.partial(self._load, source, machine, limits, sha256)
        compiled = await anyio.to_thread.run_sync(work, abandon_on_cancel=True, limiter=self._room)
        self._recognise(compiled)
        return compiled

    async def load_unchecked(self, source: bytes | Path, machine: Machine, limits: Limits) -> tuple[Component, int]:
        """Compile a component that need not fit the contract; with the size of its binary.

        Raises:
            InvalidComponent: It cannot be read, is no component, or does not validate.
        """

        def work() -> tuple[Component, int]:
            name, _, read = _examined(source, limits.max_component_bytes)
            data = read()
            return _compile(machine, name, data), len(data)

        return await anyio.to_thread.run_sync(work, abandon_on_cancel=True, limiter=self._room)

    async def build(self, compiled: CompiledComponent, machine: Machine) -> Build:
        """The component as this machine runs it; compiled now if it is not there, or there for another engine."""
        build = compiled.builds.get(machine.profile)
        if build is None or build.machine is not machine:
            work = functools.partial(self._build, compiled, machine)
            build = await anyio.to_thread.run_sync(work, abandon_on_cancel=True, limiter=self._room)
            compiled.builds[machine.profile] = build
        return build

    def _load(self, source: bytes | Path, machine: Machine, limits: Limits, sha256: str | None) -> CompiledComponent:
        name, digest, read = _examined(source, limits.max_component_bytes)
        check_digest(name, digest, sha256)
        compiled = CompiledComponent(name, digest, read)
        build = self._build(compiled, machine)
        compiled.builds[machine.profile] = build
        compiled.wasi = any(name.startswith(WASI_PREFIX) for name in build.imports)
        compiled.answers_messages = LIFECYCLE in build.exports.names
        return compiled

    def _recognise(self, compiled: CompiledComponent) -> None:
        """What is known of this code, whoever loads it; the oldest is forgotten when there is too much."""
        known = self._known.pop(compiled.digest, None) or (Conduct(), Learned())
        if len(self._known) >= _REMEMBERED:
            self._known.pop(next(iter(self._known)), None)
        self._known[compiled.digest] = known
        compiled.conduct, compiled.learned = known

    def _build(self, compiled: CompiledComponent, machine: Machine) -> Build:
        """The component as it was compiled before, or now; extended for the byte path if it can be."""
        component = self._extended(compiled, machine) if self._byte_path and not machine.profile.metered else None
        if component is not None:
            return Build.of(machine, component, self._make_frames())
        return Build.of(machine, self._component(compiled, machine, "", lambda _: b""))

    def _extended(self, compiled: CompiledComponent, machine: Machine) -> Component | None:
        try:
            return self._component(compiled, machine, extension_name(), extension_of)
        except (Unrecognised, InvalidComponent) as exc:
            _logger.debug("%s takes the value path: %s", compiled.source, exc)
            return None

    def _component(
        self, compiled: CompiledComponent, machine: Machine, extension: str, tail_of: Callable[[bytes], bytes]
    ) -> Component:
        extension += DROPS_NAME
        component = self._cache.get(machine, compiled.digest, extension)
        if component is None:  # what is in the cache was found to fit
            data = compiled.read()
            with self._noted(compiled.source, len(data), machine):
                component = _compile_droppable(machine, compiled.source, data, tail_of(data))
            fits(own_world(machine, component), compiled.source)
            self._cache.put(machine, compiled.digest, component, extension)
        return component

    @contextlib.contextmanager
    def _noted(self, source: str, size: int, machine: Machine) -> Iterator[None]:
        """Let everybody see that this is being compiled."""
        key, began = object(), time.monotonic()
        self._under_way[key] = source, size, began
        try:
            yield
            _logger.info("%s (%s): compiled in %.2f s", source, machine.profile, time.monotonic() - began)
        finally:
            del self._under_way[key]

    def _make_frames(self) -> Frames:
        """What all extended components share; made with the first of them, in its thread."""
        with self._frames_lock:
            self._frames = self._frames or Frames()
            return self._frames


def _compile_droppable(machine: Machine, source: str, data: bytes, tail: bytes) -> Component:
    """Compile a component with functions that drop its resources, or without where wasmtime refuses those."""
    drops = drops_of(data, tail)
    if drops:
        try:
            return _compile(machine, source, data, tail + drops)
        except InvalidComponent as exc:
            _logger.debug("%s: its resources cannot be dropped: %s", source, exc)
    return _compile(machine, source, data, tail)


def _compile(machine: Machine, source: str, data: bytes, tail: bytes = b"") -> Component:
    try:
        return compile_component(machine.engine, data, tail)
    except WasmtimeRefused as exc:
        raise InvalidComponent(source, f"does not compile: {split(str(exc))[0]}") from exc


def _examined(source: bytes | Path, max_bytes: int) -> tuple[str, str, Callable[[], bytes]]:
    """A source's name, digest and way to its bytes: a file is hashed, and read only if it has to be compiled."""
    if not isinstance(source, Path):
        data = bytes(source)
        check_header(_BYTES, data, len(data), max_bytes)
        return _BYTES, hashlib.sha256(data).hexdigest(), lambda: data
    with _readable(source) as file:
        check_header(str(source), file.read(_HEAD_BYTES), os.fstat(file.fileno()).st_size, max_bytes)
        file.seek(0)
        digest = _digest_of(file, max_bytes)
    return str(source), digest, functools.partial(_reread, source, digest, max_bytes)


def _digest_of(file: BufferedReader, max_bytes: int) -> str:
    """Of no more than so many bytes: a file may grow while it is read."""
    hasher, buffer = hashlib.sha256(), memoryview(bytearray(_CHUNK_BYTES))
    while max_bytes > 0 and (size := file.readinto(buffer)):
        hasher.update(buffer[:size])
        max_bytes -= size
    return hasher.hexdigest()


def _reread(path: Path, digest: str, max_bytes: int) -> bytes:
    """The bytes that had this digest, and no more of them than are allowed."""
    with _readable(path) as file:
        data = file.read(max_bytes)
    if hashlib.sha256(data).hexdigest() != digest:
        raise InvalidComponent(str(path), "has changed since it was loaded")
    return data


@contextlib.contextmanager
def _readable(path: Path) -> Iterator[BufferedReader]:
    """An open file; raises InvalidComponent."""
    try:
        if not path.exists() or path.is_file():
            with path.open("rb") as file:
                yield file
                return
    except (OSError, ValueError) as exc:  # ValueError: a NUL in the path
        if isinstance(exc, InvalidComponent):
            raise
        raise InvalidComponent(str(path), f"cannot be read: {getattr(exc, 'strerror', None) or exc}") from exc
    raise InvalidComponent(str(path), "is not a file")
