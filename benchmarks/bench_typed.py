"""What does a typed call cost? `greet(string) -> string` beside wasmtime-py's own call of the same component.

`call` goes through an actor: its mailbox, its limits, its statistics. `bare` is the same call without one, as awaited
by a program that has its own way to keep calls apart. Payloads are random text.
"""

import asyncio
import random
import string
from typing import Any

from wasmtime import Config, Engine, Store
from wasmtime.component import Component, Linker, LinkerInstance, ResourceType

from airssys_wasm import ActorSystem, ComponentId, Limits
from airssys_wasm.core.calls import Given, Invocation
from airssys_wasm.core.ports import HostState
from airssys_wasm.runtime.engine import WasmtimeEngine
from airssys_wasm.runtime.store import GuestStore
from benchmarks.harness import GUESTS, Contestant, race, show, table, write
from tests.runtime.plugins import API, KV, Kv

SIZES = (3, 64, 1024, 65_536)


class Direct:
    """The plugin as wasmtime-py calls it."""

    def __init__(self, binary: bytes) -> None:
        config = Config()
        config.wasm_component_model = True
        engine = Engine(config)
        component, linker = Component(engine, binary), Linker(engine)
        with linker.root() as root, root.add_instance(f"{KV}@1.0.0") as kv:
            self._define(kv)
        self._store = Store(engine)
        instance = linker.instantiate(self._store, component)
        interface = instance.get_export_index(self._store, f"{API}@1.0.0")
        index = instance.get_export_index(self._store, "greet", interface)
        assert index is not None
        greet = instance.get_func(self._store, index)
        assert greet is not None
        self._greet = greet

    def greet(self, name: str) -> Any:
        """One call."""
        return self._greet(self._store, name)

    def _define(self, kv: LinkerInstance) -> None:
        kv.add_resource("store", ResourceType.host(1), lambda _store, _rep: None)
        for name in ("get", "set", "wait", "[constructor]store", "[method]store.get", "[static]store.find"):
            kv.add_func(name, lambda *_arguments: None)


def _contestants(plugin: Any, guest: GuestStore, direct: Direct, name: str) -> dict[str, Contestant]:
    invocation = Invocation(API, "greet", (name,), {})

    async def call(count: int) -> None:
        for _ in range(count):
            await plugin.call(API, "greet", name)

    async def proxy(count: int) -> None:
        greet = plugin[API].greet
        for _ in range(count):
            await greet(name)

    async def bare(count: int) -> None:
        for _ in range(count):
            await guest.call(invocation)

    async def peer(count: int) -> None:
        for _ in range(count):
            direct.greet(name)

    return {"call": call, "proxy": proxy, "bare": bare, "wasmtime-py": peer}


async def _measure(binary: bytes) -> dict[str, Any]:
    """Figures and ratios for every size."""
    direct, results = Direct(binary), dict[str, Any]()
    async with ActorSystem() as system, WasmtimeEngine() as engine:
        plugin = await system.load(ComponentId("bench", "plugin", "0"), binary, imports={KV: Kv()})
        compiled = await engine.bind(await engine.compile(binary, Limits()), Given({KV: Kv()}))
        guest = await engine.start(compiled, HostState(ComponentId("bench", "bare", "0")))
        for size in SIZES:
            name = "".join(random.choices(string.ascii_letters, k=size))
            assert direct.greet(name) == await plugin.call(API, "greet", name) == f"Hello, {name}!"
            figures = await race(_contestants(plugin, guest, direct, name))
            peer = figures["wasmtime-py"].median
            results[str(size)] = {
                **{which: {"median": f.median, "low": f.low, "high": f.high} for which, f in figures.items()},
                "times_faster": {which: peer / figures[which].median for which in ("call", "proxy", "bare")},
            }
        await guest.aclose()
    return results


async def main() -> None:
    """Run, print the table, write the JSON."""
    results = await _measure((GUESTS / "plugin.wasm").read_bytes())
    rows = [
        (
            size,
            *(row[which]["median"] for which in ("call", "proxy", "bare", "wasmtime-py")),
            *(row["times_faster"][which] for which in ("call", "bare")),
        )
        for size, row in results.items()
    ]
    columns = ("bytes", "call µs", "proxy µs", "bare µs", "wasmtime-py µs", "call times faster", "bare times faster")
    show(table(columns, rows))
    show(f"written to {write('typed', results)}")


if __name__ == "__main__":
    asyncio.run(main())
