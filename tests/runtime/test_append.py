"""Components that are extended: valid ones stay valid, and what is not recognised is left alone."""

import contextlib
import random
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from airssys_wasm.runtime.abi.append import DELIVER
from airssys_wasm.runtime.abi.binary import Unrecognised
from airssys_wasm.runtime.abi.component import WasmtimeRefused
from airssys_wasm.runtime.abi.outline import MEMORY, POST_RETURN, REALLOC, UTF8, Lift, Outline
from airssys_wasm.runtime.abi.reader import exports_of
from airssys_wasm.runtime.extension import deliver_module, extension_of
from tests.guests import wat
from tests.runtime.bare import BareEngine
from tests.runtime.guests import binary

GUESTS: Final = ("echo", "counter", "callback", "hostile", "wasi")
ECHO: Final = binary("echo")

# Each adds to other index spaces.
PRELUDES: Final = (
    '(import "a:b/types" (instance $types (export "t" (type (sub resource)))))',
    '(import "f" (func $f (param "x" u32))) (core func $low (canon lower (func $f)))',
    '(import "t" (type $t (sub resource))) (core func $drop (canon resource.drop $t))',
    '(import "m" (core module $m (export "g" (func))))',
    '(import "c" (component $c))',
    "(type $r (resource (rep i32))) (core func (canon resource.new $r)) (core func (canon resource.rep $r))",
    (
        '(core module $m1 (memory (export "m") 1) (func (export "f"))) (core instance $i1 (instantiate $m1))'
        ' (alias core export $i1 "m" (core memory $m2)) (alias core export $i1 "f" (core func $f2))'
        " (func $lifted (canon lift (core func $f2)))"
    ),
    (
        '(core module $m3 (table (export "t") 1 funcref) (global (export "g") i32 (i32.const 0)))'
        ' (core instance $i3 (instantiate $m3)) (alias core export $i3 "t" (core table $t3))'
        ' (alias core export $i3 "g" (core global $g3)) (core instance $given3 (export "t" (table $t3)))'
    ),
    "(core type $ct (func (param i32)))",
    "(type $outer u32) (component $inner (alias outer 1 $outer (type $mine)) (type $list (list $mine)))",
    (
        '(component $exporting (type $u u8) (export "u" (type $u))) (instance $exported (instantiate $exporting))'
        ' (alias export $exported "u" (type $aliased)) (export "again" (type $aliased))'
    ),
)


def tools(command: str, component: bytes, folder: Path) -> str:
    """What wasm-tools says about a component."""
    program = shutil.which("wasm-tools", path=str(Path(sys.executable).parent)) or shutil.which("wasm-tools")
    assert program is not None, "wasm-tools comes with the dev extra"
    file = folder / "component.wasm"
    file.write_bytes(component)
    done = subprocess.run([program, command, file], capture_output=True, text=True, check=False)
    assert 0 == done.returncode, done.stderr
    return done.stdout


def extended(component: bytes) -> bytes:
    """A component with its extension."""
    return component + extension_of(component)


@pytest.mark.parametrize("name", GUESTS)
def test_an_extended_guest_is_valid_and_exports_one_function_more(name: str, tmp_path: Path) -> None:
    """wasm-tools says so; everything that was there before is there as it was."""
    data = binary(name)
    before, after = (tools("print", component, tmp_path) for component in (data, extended(data)))
    tools("validate", extended(data), tmp_path)
    added = set(after.splitlines()) - set(before.splitlines())
    assert [] == [line for line in before.splitlines()[:-1] if line not in after]
    assert any(line.strip().startswith("(export") and f'"{DELIVER}"' in line for line in added)


def test_an_extended_guest_is_a_few_kilobytes_larger() -> None:
    """The module, and some 300 bytes around it."""
    assert len(deliver_module()) < 4096
    assert len(extension_of(ECHO)) - len(deliver_module()) < 400


@pytest.mark.parametrize("prelude", PRELUDES)
def test_whatever_stands_before_shifts_the_indexes_right(prelude: str, tmp_path: Path) -> None:
    """Imports, resources, modules, aliases, types, nested components."""
    tools("validate", extended(wat.low_level({}, prelude=prelude)), tmp_path)


def test_the_indexes_are_right_with_everything_at_once(tmp_path: Path) -> None:
    """No index depends on only one kind of section."""
    tools("validate", extended(wat.low_level({}, prelude="\n".join(PRELUDES))), tmp_path)


def test_wasmtime_takes_an_extended_guest(bare: BareEngine) -> None:
    """And sees the function."""
    assert DELIVER in exports_of(bare.compile(extended(ECHO)), bare.engine)


@pytest.mark.parametrize(
    ("component", "why"),
    [
        (wat.empty_component(), "0 core functions"),
        (ECHO.replace(b"#handle-message", b"#handle-massage"), "0 core functions"),
        (b"\0asm\x0d\0\1\0\x09\x01\0", "section 9"),
        (b"\0asm\x0d\0\1\0\x0c\x00", "section 12"),
        (b"\0asm\x0d\0\1\0\x06\x06\x01\0\0\1\0\x7f", "too early"),
        (b"\0asm\x0d\0\1\0\x06\x05\xff\xff\xff\xff\x0f", "4294967295 items"),
        (b"\0asm\x0d\0\1\0\x06\x06\xff\xff\xff\xff\xff\x0f", "32 bits"),
        (b"\0asm\x0d\0\1\0\x08\x03\x01\x05\0", "canonical function 0x5"),
    ],
)
def test_another_shape_is_not_recognised(component: bytes, why: str) -> None:
    """It says what was not found, or what it could not read."""
    with pytest.raises(Unrecognised, match=why):
        extension_of(component)


@pytest.mark.parametrize("options", [{UTF8}, {1, MEMORY, REALLOC, POST_RETURN}, {UTF8, MEMORY, REALLOC}])
def test_another_lift_is_not_recognised(options: set[int]) -> None:
    """UTF-16, no post-return, no memory."""
    whole = {UTF8, MEMORY, REALLOC, POST_RETURN}
    lifts = [Outline(functions={b"f": [7]}, lifts={7: [Lift(7, dict.fromkeys(of, 0))]}) for of in (whole, options)]
    assert 7 == lifts[0].lift_of("f").function
    with pytest.raises(Unrecognised, match="lifted by"):
        lifts[1].lift_of("f")


@given(st.binary(max_size=300))
@example(b"\x06\x01\x01")
def test_no_bytes_make_reading_fail_in_another_way(noise: bytes) -> None:
    """Whatever is in the sections."""
    with pytest.raises(Unrecognised):
        extension_of(ECHO[:8] + noise)


def test_a_cut_component_is_not_recognised_or_extended_in_vain() -> None:
    """Wherever it ends; what is appended to it is then refused by wasmtime."""
    seen = set[bool]()
    for size in range(8, len(ECHO), 7):
        try:
            seen.add(bool(extension_of(ECHO[:size])))
        except Unrecognised:
            seen.add(False)
    assert False in seen


def test_mutants_that_are_valid_stay_valid(bare: BareEngine) -> None:
    """Or are not recognised; with one bit flipped, about every tenth guest is still valid."""
    dice, taken = random.Random(2026), 0
    for _ in range(150):
        mutant = bytearray(binary(dice.choice(["echo", "counter", "callback"])))
        mutant[dice.randrange(8, len(mutant))] ^= 1 << dice.randrange(8)
        with contextlib.suppress(WasmtimeRefused):
            bare.compile(bytes(mutant))
            with contextlib.suppress(Unrecognised):
                taken += check_extended(bare, bytes(mutant))
    assert taken > 5


def check_extended(bare: BareEngine, component: bytes) -> bool:
    """True; fails when wasmtime refuses a component only with its extension."""
    data = extended(component)
    try:
        bare.compile(data)
    except WasmtimeRefused as exc:
        pytest.fail(f"valid without its extension only: {exc}")
    return True
