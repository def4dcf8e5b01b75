"""Components shown as WIT, read back by wasm-tools."""

import subprocess
from pathlib import Path

import pytest

from airssys_wasm.runtime.abi.reader import world_of
from airssys_wasm.runtime.wit_text import wit_text
from tests.runtime.bare import BareEngine
from tests.runtime.guests import GUESTS, binary
from tests.runtime.toys import NUMBERS

ENGINE = BareEngine()


def shown_by_wasm_tools(file: Path) -> list[str]:
    """A component or a WIT file in its own words, sorted: the order of definitions means nothing."""
    done = subprocess.run(["wasm-tools", "component", "wit", file], capture_output=True, text=True, check=True)
    lines = [line.strip() for line in done.stdout.splitlines()]
    return sorted(line for line in lines if line and not line.startswith("use "))


@pytest.mark.parametrize("guest", ["plugin", "hostile", "echo"])
def test_a_world_reads_as_wasm_tools_reads_it(tmp_path: Path, guest: str) -> None:
    """Types, resources and functions; but where a type has two names, either will do."""
    file = tmp_path / "world.wit"
    file.write_text("package root:component;\n" + wit_text(world_of(ENGINE.compile(binary(guest)), ENGINE.engine)))
    ours, theirs = shown_by_wasm_tools(file), shown_by_wasm_tools(GUESTS / f"{guest}.wasm")
    for name, plain in (
        ("message-payload", "list<u8>"),
        ("storage-value", "list<u8>"),
        ("correlation-id", "string"),
        ("request-id", "string"),
    ):
        ours = [line.replace(name, plain) for line in ours]
        theirs = [line.replace(name, plain) for line in theirs]
    assert sorted(theirs) == sorted(ours)


def test_functions_without_an_interface_are_in_the_world() -> None:
    """As exports of its own."""
    lines = wit_text(world_of(ENGINE.compile(NUMBERS), ENGINE.engine)).splitlines()
    assert "  export same: func(n: u32) -> u32;" in lines
    assert "  export loop: func();" in lines
