"""What does a payload cost? Echo of 64 B to 1 MiB, random bytes and ASCII JSON, beside wasmtime-py and Extism.

wasmtime-py calls the same guest, without an actor; Extism's plugin is core WebAssembly without the Component Model, and
hands back its input: the copying is the host's.
"""

import json
import os
import random
import string
from typing import Any

from airssys_wasm import ActorHandle, ActorSystem, ComponentId
from benchmarks.harness import (
    GUESTS,
    QUICK,
    ROUNDS,
    Figure,
    Target,
    figures_of,
    race,
    repeated,
    repeated_call,
    run_main,
    show,
    table,
    tell,
)
from benchmarks.peers import Direct, ExtismEcho

KIB = 1024
SIZES = {"64 B": 64, "4 KiB": 4 * KIB, "64 KiB": 64 * KIB, "1 MiB": KIB * KIB}
DIRECT_TARGETS = {
    ("4 KiB", "random"): 250,
    ("64 KiB", "random"): 500,
    ("1 MiB", "random"): 500,
    ("4 KiB", "ascii"): 400,
    ("64 KiB", "ascii"): 2000,
    ("1 MiB", "ascii"): 2000,
}
EXTISM_TARGETS = {"64 KiB": 1.5, "1 MiB": 3.0}
SLOW_BYTES = 64 * KIB
"""From here on a call of wasmtime-py takes a tenth of a second and more: it is called a few times only."""


def payload(kind: str, size: int) -> bytes:
    """Truly random bytes, or a JSON string."""
    if kind == "random":
        return os.urandom(size)
    return json.dumps("".join(random.choices(string.ascii_letters + " ", k=size - 2))).encode()


async def measure(echo: ActorHandle, direct: Direct, plugin: ExtismEcho, data: bytes) -> dict[str, Figure]:
    """All three with one payload; the slow one apart, but in the same minute."""
    assert data == await echo.ask(data, timeout=60)
    assert data == plugin.echo(data)
    quick = {
        "ask": repeated(lambda: echo.ask(data, timeout=60)),
        "extism": repeated_call(lambda: plugin.echo(data)),
    }
    slow = {"wasmtime-py": repeated_call(lambda: direct.echo(data))}
    if len(data) < SLOW_BYTES:
        return await race(quick | slow)
    return await race(quick) | await race(slow, seconds=0.01, rounds=2 if QUICK else min(3, ROUNDS))


def targets(results: dict[str, Any]) -> list[Target]:
    """The ratios that there are targets for."""
    kept = []
    for label, row in results.items():
        kind, size = row["kind"], row["size"]
        ours, direct, plugin = (row[name]["median"] for name in ("ask", "wasmtime-py", "extism"))
        bound = DIRECT_TARGETS.get((size, kind))
        if bound:
            kept.append(Target(f"echo, {label}", "wasmtime-py direct", direct / ours, bound, at_most=False))
        if size in EXTISM_TARGETS:
            kept.append(Target(f"echo, {label}", "Extism plugin", ours / plugin, EXTISM_TARGETS[size]))
    return kept


async def main() -> None:
    """Run, print the tables, write the JSON."""
    binary = (GUESTS / "echo.wasm").read_bytes()
    direct, plugin = Direct(binary), ExtismEcho()
    results: dict[str, Any] = {}
    async with ActorSystem() as system:
        echo = await system.load(ComponentId("bench", "echo", "0"), binary)
        for kind in ("random", "ascii"):
            for size, length in SIZES.items():
                figures = await measure(echo, direct, plugin, payload(kind, length))
                results[f"{size} {kind}"] = {"kind": kind, "size": size, **figures_of(figures)}
    rows = [
        (label, *(row[name]["median"] for name in ("ask", "wasmtime-py", "extism"))) for label, row in results.items()
    ]
    show(table(("payload", "ask µs", "wasmtime-py µs", "Extism µs"), rows))
    tell("payload", results, targets(results))


if __name__ == "__main__":
    run_main(main)
