"""The host functions by interface and name, joined with their WIT types from the contract."""

from collections.abc import Awaitable, Callable
from typing import Any

from airssys_wasm.runtime.contract import IMPORTS, MESSAGING, SERVICES, STORAGE
from airssys_wasm.runtime.host_fn import messaging, services, storage
from airssys_wasm.runtime.hostcall import HostFunction


def host_functions() -> list[HostFunction]:
    """Every import of the contract, ready to be defined in a linker."""
    provided: dict[str, dict[str, Callable[..., Awaitable[Any]]]] = {
        MESSAGING: messaging.functions(),
        SERVICES: services.functions(),
        STORAGE: storage.functions(),
    }
    return [
        HostFunction.of(interface, name, kind, provided[interface][name])
        for interface, functions in IMPORTS.items()
        for name, kind in functions.items()
    ]
