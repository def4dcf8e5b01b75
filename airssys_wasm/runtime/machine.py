"""One wasmtime engine as this runtime sets it up, with its linkers and its ticker.

There are four at most, each made when it is first needed: whether fuel is counted and how memory is laid out are
properties of compiled code.
"""

import threading
from importlib.metadata import version
from typing import Final, final

import attrs
from wasmtime import Config, Engine
from wasmtime.component import Linker

from airssys_wasm.core.errors import EngineCreation
from airssys_wasm.core.limits import MIB, Limits
from airssys_wasm.runtime.abi import capi
from airssys_wasm.runtime.abi.settings import for_small_memories, without_concurrency
from airssys_wasm.runtime.hostcall import HostCalls
from airssys_wasm.runtime.ticker import EpochTicker

_WASMTIME_VERSION: Final = version("wasmtime")

SETTINGS_VERSION: Final = 3
"""Part of the compile cache's key; raise it with any change of the configuration below, of the files, or of `fits`."""


SMALL_MEMORY_BYTES: Final = 4 * MIB
"""Up to this `Limits.max_memory_bytes` a component is a small one: copying it all as it grows takes about a tick."""


@final
@attrs.frozen(cache_hash=True)
class Profile:
    """Which engine a component runs in, by its limits.

    | memory | maps a live actor | accesses | growing |
    |---|---|---|---|
    | large | 7 to 9: address space around each memory | checked by the processor | in place |
    | small, up to `SMALL_MEMORY_BYTES` | 3 | checked by code | copies the memory |
    """

    metered: bool = False
    small: bool = False

    @classmethod
    def of(cls, limits: Limits) -> "Profile":
        """Where a component with these limits belongs."""
        return _PROFILES[limits.max_fuel is not None, limits.max_memory_bytes <= SMALL_MEMORY_BYTES]

    def __str__(self) -> str:
        return f"{'small-' * self.small}{'metered' if self.metered else 'plain'}"


PLAIN: Final = Profile()
_PROFILES: Final = {(metered, small): Profile(metered, small) for metered in (False, True) for small in (False, True)}


@final
class Machine:
    """A wasmtime engine, a linker with the contract's host functions, a second one with WASI besides, and a ticker."""

    def __init__(self, host_calls: HostCalls, profile: Profile = PLAIN) -> None:
        self.profile = profile
        self.host_calls = host_calls  # its C callbacks have to outlive every instance, also one stuck in a thread
        try:
            self.engine = Engine(_configuration(profile))
            self.address = capi.address(self.engine.ptr())
            self.linker = self.new_linker(wasi=False)
            self.wasi_linker = self.new_linker(wasi=True)
        except Exception as exc:
            raise EngineCreation(str(exc)) from exc
        self.ticker = EpochTicker(self.engine)

    def new_linker(self, *, wasi: bool) -> Linker:
        """A linker with the contract's host functions, and WASI if wanted."""
        linker = Linker(self.engine)
        if wasi:
            linker.add_wasip2()
        self.host_calls.define_in(capi.address(linker.ptr()))
        return linker

    @property
    def fingerprint(self) -> str:
        """What compiled code depends on besides its source."""
        return f"wasmtime-{_WASMTIME_VERSION}.settings-{SETTINGS_VERSION}.{self.profile}"

    def close(self) -> list[threading.Thread]:
        """End the ticker; the engine goes with the last component that was compiled for it."""
        return self.ticker.close()


def _configuration(profile: Profile) -> Config:
    config = Config()
    config.wasm_component_model = True
    config.epoch_interruption = True
    config.consume_fuel = profile.metered
    without_concurrency(config)
    if profile.small:
        for_small_memories(config)
    return config
