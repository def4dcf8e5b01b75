"""One wasmtime engine as this runtime sets it up, with its linkers and its ticker.

There are two at most, plain and metered, since counting fuel is a property of compiled code.
"""

import threading
from importlib.metadata import version
from typing import Final, final

from wasmtime import Config, Engine
from wasmtime.component import Linker

from airssys_wasm.core.errors import EngineCreation
from airssys_wasm.runtime.abi import capi
from airssys_wasm.runtime.abi.settings import without_concurrency
from airssys_wasm.runtime.hostcall import HostCalls
from airssys_wasm.runtime.ticker import EpochTicker

_WASMTIME_VERSION: Final = version("wasmtime")

SETTINGS_VERSION: Final = 3
"""Part of the compile cache's key; raise it with any change of the configuration below or of the files."""


@final
class Machine:
    """A wasmtime engine, a linker with the contract's host functions, a second one with WASI besides, and a ticker."""

    def __init__(self, host_calls: HostCalls, *, metered: bool) -> None:
        self.metered = metered
        self.host_calls = host_calls  # its C callbacks have to outlive every instance, also one stuck in a thread
        try:
            self.engine = Engine(_configuration(metered=metered))
            self.linker = _linker(self.engine, host_calls, wasi=False)
            self.wasi_linker = _linker(self.engine, host_calls, wasi=True)
        except Exception as exc:
            raise EngineCreation(str(exc)) from exc
        self.ticker = EpochTicker(self.engine)

    @property
    def fingerprint(self) -> str:
        """What compiled code depends on besides its source."""
        return f"wasmtime-{_WASMTIME_VERSION}.settings-{SETTINGS_VERSION}.{'metered' if self.metered else 'plain'}"

    def close(self) -> list[threading.Thread]:
        """End the ticker; the engine goes with the last component that was compiled for it."""
        return self.ticker.close()


def _configuration(*, metered: bool) -> Config:
    config = Config()
    config.wasm_component_model = True
    config.epoch_interruption = True
    config.consume_fuel = metered
    without_concurrency(config)
    return config


def _linker(engine: Engine, host_calls: HostCalls, *, wasi: bool) -> Linker:
    linker = Linker(engine)
    if wasi:
        linker.add_wasip2()
    host_calls.define_in(capi.address(linker.ptr()))
    return linker
