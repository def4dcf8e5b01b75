"""Hostile components, made of good ones; the table at the top of `hostile_binaries.py` says how."""

import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.harness import GUESTS
from tests.guests import wat

SEEDS = ("echo", "counter", "callback", "hostile", "lifecycle")
CORE_MODULE = 1
TRIES = 4


def sections(data: bytes) -> Iterator[tuple[int, int, int]]:
    """The top-level sections of a component: id, where its content begins and ends."""
    at = 8
    while at < len(data):
        number, at, size, shift = data[at], at + 1, 0, 0
        while True:
            size, shift, more, at = size | (data[at] & 0x7F) << shift, shift + 7, data[at] & 0x80, at + 1
            if not more:
                break
        yield number, at, at + size
        at += size


def core_module(data: bytes) -> bytes:
    """The largest core module of a component."""
    return max((data[start:end] for number, start, end in sections(data) if number == CORE_MODULE), key=len)


def spliced(data: bytes, core: bytes) -> bytes:
    """A component with another core module in the place of its largest."""
    old, size, encoded = core_module(data), len(core), bytearray()
    while size > 0x7F:
        encoded.append(size & 0x7F | 0x80)
        size >>= 7
    encoded.append(size)
    pieces, last = [], 8
    for number, start, end in sections(data):
        if number == CORE_MODULE and data[start:end] == old:
            pieces += [data[8:last], b"\x01", bytes(encoded), core, data[end:]]
            break
        last = end
    return data[:8] + b"".join(pieces)


def changed(content: bytearray, dice: random.Random) -> bytearray:
    """Some bytes changed, a piece cut out, doubled or overwritten."""
    for _ in range(dice.choice([1, 1, 2, 5])):
        if not content:
            break
        at, size = dice.randrange(len(content)), dice.randrange(1, 20)
        match dice.randrange(6):
            case 0 | 1:
                content[at] ^= 1 << dice.randrange(8)
            case 2:
                content[at] = dice.choice([0, 1, 0x7F, 0x80, 0xFF])
            case 3:
                del content[at : at + size]
            case 4:
                content[at:at] = content[at : at + size]
            case _:
                content[at : at + size] = dice.randbytes(size)
    return content


def mutated(data: bytes, dice: random.Random) -> bytes:
    """A component changed anywhere but in its header."""
    return data[:8] + bytes(changed(bytearray(data[8:]), dice))


def made(kind: str, seed: str, dice: random.Random, tools: str | None) -> bytes | None:
    """One hostile component; None when the tool has none for these dice."""
    data = wat.lifecycle() if seed == "lifecycle" else (GUESTS / f"{seed}.wasm").read_bytes()
    if kind == "bytes":
        return mutated(data, dice)
    if kind == "sections":
        _, start, end = dice.choice(list(sections(data)))
        return data[:start] + bytes(changed(bytearray(data[start:end]), dice)) + data[end:]
    core = remade(core_module(data), kind, dice, tools)
    return None if core is None else spliced(data, core)


def remade(core: bytes, kind: str, dice: random.Random, tools: str | None) -> bytes | None:
    """A core module that wasm-tools made of another; None when it could not for any of a few dice."""
    with tempfile.TemporaryDirectory() as folder:
        given, noise, got = (Path(folder) / name for name in ("given", "noise", "got"))
        given.write_bytes(core)
        for _ in range(TRIES):
            noise.write_bytes(dice.randbytes(dice.choice([500, 3000, 10_000])))
            command: list[str | Path] = ["mutate", given, "--seed", str(dice.randrange(2**32))]
            if kind == "smith":
                command = ["smith", noise, "--module-shape", given]
                command += dice.choice([[], ["--ensure-termination", "--disallow-traps", "true"]])
            ran = subprocess.run([str(tools), *command, "-o", got], capture_output=True, check=False)
            if not ran.returncode:
                return got.read_bytes()
    return None


def wasm_tools() -> str | None:
    """Where `wasm-tools` is: beside this Python, or on PATH."""
    return shutil.which("wasm-tools", path=str(Path(sys.executable).parent)) or shutil.which("wasm-tools")
