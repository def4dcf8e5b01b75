"""Components with host objects for their imports: a linker of their own on each machine that runs them."""

from collections.abc import Mapping
from typing import Final, final

import attrs
from wasmtime.component import Linker

from airssys_wasm.core.calls import Given
from airssys_wasm.core.errors import ConfigError
from airssys_wasm.runtime.abi import capi
from airssys_wasm.runtime.abi.reader import world_of
from airssys_wasm.runtime.compiled import WASI_PREFIX, CompiledComponent, Learned, is_foreign
from airssys_wasm.runtime.contract import PACKAGE
from airssys_wasm.runtime.fibers import Fiber
from airssys_wasm.runtime.functions import Signatures
from airssys_wasm.runtime.hostcall import HostCalls
from airssys_wasm.runtime.machine import Machine
from airssys_wasm.runtime.provided import Provided, RunBlocking, provide

_PACKAGE: Final = f"{PACKAGE}/"


@final
class Linkage:
    """The host objects of one loaded component, and the C callbacks behind them."""

    def __init__(self, provided: Provided, fibers: Mapping[int, Fiber], *, wasi: bool) -> None:
        self.resources = provided.resources
        named = [
            (interface.name, local, provided.resources[resource].number)
            for interface in provided.interfaces.values()
            for local, resource in interface.resources.items()
        ]
        self._calls = HostCalls(provided.functions, fibers, named)
        self._wasi = wasi
        self._linkers: dict[Machine, Linker] = {}

    def linker(self, machine: Machine) -> Linker:
        """What the contract gives, and these objects before it."""
        linker = self._linkers.get(machine)
        if linker is None:
            linker = machine.new_linker(wasi=self._wasi)
            address = capi.address(linker.ptr())
            capi.linker_allow_shadowing(address, True)
            self._calls.define_in(address)
            self._linkers[machine] = linker
        return linker


def bind(
    compiled: CompiledComponent, given: Given, fibers: Mapping[int, Fiber], run_blocking: RunBlocking
) -> CompiledComponent:
    """A component with what host code gives it; the same one when that is nothing new.

    Raises:
        ImportsUnfit: All that nobody provides, and all that does not fit.
        ConfigError: `imports` has an interface of the contract.
    """
    own = next((name for name in given.imports if name.startswith(_PACKAGE)), None)
    if own is not None:
        raise ConfigError("imports", own, "is provided by the runtime")
    build, learned, wasi = next(iter(compiled.builds.values())), compiled.learned, compiled.wasi
    if not has_own_types(compiled, given):
        is_same = given.types is compiled.given.types and not (given.imports or compiled.given.imports)
        return compiled if is_same else attrs.evolve(compiled, given=given)
    if wasi and any(name.startswith(WASI_PREFIX) for name in given.imports):
        learned = Learned(Signatures(world_of(build.component, build.machine.engine)))
    bound = attrs.evolve(compiled, given=given, learned=learned)
    bound.signatures.prepare()
    provided = provide(compiled.source, bound.signatures, given, run_blocking)
    bound.wasi = any(name.startswith(WASI_PREFIX) and name not in provided.interfaces for name in build.imports)
    bound.linkage = Linkage(provided, fibers, wasi=bound.wasi) if provided.interfaces else None
    return bound


def has_own_types(compiled: CompiledComponent, given: Given) -> bool:
    """Whether there are types besides those of the contract, which then are read and given codecs."""
    build = next(iter(compiled.builds.values()))
    return build.has_own_types or any(is_foreign(name) for name in given.imports)
