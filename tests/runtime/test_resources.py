"""Resources are found in a component's binary wherever they are defined and exported, and a tail drops each of them."""

import contextlib
import random
import struct
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airssys_wasm.runtime.abi.binary import Unrecognised
from airssys_wasm.runtime.abi.component import WasmtimeRefused
from airssys_wasm.runtime.abi.drops import DROP, drops_tail
from airssys_wasm.runtime.abi.reader import World, world_of
from airssys_wasm.runtime.abi.resources import MAX_DEPTH, resources_of
from airssys_wasm.runtime.extension import drops_of, extension_of
from airssys_wasm.runtime.wat import assemble
from tests.guests import wat
from tests.runtime.bare import BareEngine
from tests.runtime.guests import binary
from tests.runtime.test_append import PRELUDES, tools
from tests.runtime.things import bare_thing, composed_things, things, things_without_destructor

HEADER: Final = b"\0asm\x0d\0\1\0"

DEFINED: Final = "(type $r (resource (rep i32)))"
NAMES_IT: Final = '(component $names (import "t" (type $t (sub resource))) (export "r" (type $t)))'
NAMED: Final = f'{DEFINED} {NAMES_IT} (instance $i (instantiate $names (with "t" (type $r))))'

# Each way from a definition to an export, and the names under which resources are exported.
WAYS: Final = {
    "by itself": (f'{DEFINED} (export "r" (type $r))', ["r"]),
    "by itself, as what it is": (f'{DEFINED} (export "r" (type $r) (type (eq $r)))', ["r"]),
    "twice": (f'{DEFINED} (export "r" (type $r)) (export "s" (type $r))', ["r"]),
    "by an instance": (f'{NAMED} (export "i" (instance $i))', ["i#r"]),
    "by two instances": (f'{NAMED} (export "i" (instance $i)) (export "j" (instance $i))', ["i#r"]),
    "by an instance that is put together": (
        f'{DEFINED} (instance $i (export "r" (type $r)) (export "s" (type $r))) (export "i" (instance $i))',
        ["i#r"],
    ),
    "by a component inside": (
        f'(component $c {DEFINED} (export "r" (type $r))) (instance $i (instantiate $c)) (export "i" (instance $i))',
        ["i#r"],
    ),
    "once by each instance of a component inside": (
        (
            f'(component $c {DEFINED} (export "r" (type $r))) (instance $i (instantiate $c)) (export "i" (instance $i))'
            ' (instance $j (instantiate $c)) (export "j" (instance $j))'
        ),
        ["i#r", "j#r"],
    ),
    "by alias": (
        (
            f'{NAMED} (alias export $i "r" (type $again)) (instance $j (export "s" (type $again)))'
            ' (export "j" (instance $j))'
        ),
        ["j#s"],
    ),
    "through an instance that is given on": (
        (
            f'{NAMED} (component $c (import "i" (instance $i (export "r" (type (sub resource)))))'
            ' (alias export $i "r" (type $r)) (export "s" (type $r)))'
            ' (instance $j (instantiate $c (with "i" (instance $i)))) (export "j" (instance $j))'
        ),
        ["j#s"],
    ),
    "under a type that says less": (
        (
            f'{DEFINED} (type $s (resource (rep i32))) (instance $i (export "r" (type $r)) (export "s" (type $s)))'
            ' (export "i" (instance $i) (instance (export "r" (type (eq $r)))))'
        ),
        ["i#r"],
    ),
    "from an outer component": (
        (
            f'(component $c {DEFINED} (component $d (import "t" (type $t (sub resource))) (export "r" (type $t)))'
            ' (instance $i (instantiate $d (with "t" (type $r)))) (export "i" (instance $i)))'
            ' (instance $j (instantiate $c)) (alias export $j "i" (instance $i)) (export "i" (instance $i))'
        ),
        ["i#r"],
    ),
    "defined only": (DEFINED, []),
    "imported by itself": ('(import "r" (type $r (sub resource))) (export "s" (type $r))', []),
    "imported in an instance": (
        (
            '(import "a:b/c" (instance $i (export "r" (type (sub resource))) (type $n u8)'
            ' (export "m" (type (eq $n))))) (alias export $i "r" (type $r)) (export "s" (type $r))'
            ' (export "i" (instance $i))'
        ),
        [],
    ),
    "imported through a component inside": (
        (
            f'(import "r" (type $r (sub resource))) {NAMES_IT}'
            ' (instance $i (instantiate $names (with "t" (type $r)))) (export "i" (instance $i))'
        ),
        [],
    ),
    "among values": (
        (
            f'{DEFINED} (type $n (record (field "x" u8))) (instance $i (export "n" (type $n)) (export "r" (type $r))'
            ' (export "m" (type $n))) (export "i" (instance $i))'
        ),
        ["i#r"],
    ),
}

VALUES: Final = (
    "bool",
    "string",
    "(list u8)",
    "(list (list string))",
    "(tuple u8 string)",
    "(option char)",
    "(result)",
    "(result u8)",
    "(result (error string))",
    "(result (tuple u8) (error u8))",
    '(record (field "a" u8) (field "b-c" string))',
    '(variant (case "a") (case "b" u8))',
    '(enum "a" "b")',
    '(flags "a" "b" "c")',
    "(func)",
    '(func (param "a" u8) (param "b" string))',
    '(func (param "a" u8) (result string))',
    '(instance (type $u u8) (export "u" (type (eq $u))) (export "f" (func (param "x" string))))',
    '(component (import "f" (func)) (import "r" (type (sub resource))) (export "g" (func (result u8))))',
)
"""Types of all kinds, which are passed over."""


def named(data: bytes) -> list[str]:
    """The resources that are found, by what they are exported as."""
    resources = resources_of(data)
    return [f"{'' if of.instance is None else '#'}{of.name.decode()}" for of in resources]


@pytest.mark.parametrize("way", WAYS)
def test_a_resource_is_found_whichever_way_it_is_exported(way: str, tmp_path: Path, bare: BareEngine) -> None:
    """Once, if the component defines it; and with what is appended for that the component is as valid as before."""
    text, expected = WAYS[way]
    data = assemble(f"(component {text})")
    assert [name.lstrip("ij") for name in expected] == named(data)
    tail = drops_tail(data)
    tools("validate", data + tail, tmp_path)
    world = world_of(bare.compile(data + tail), bare.engine)
    assert expected == [str(resource) for resource in world.drops]
    assert bool(tail) is bool(expected)


@pytest.mark.parametrize("data", [things(), composed_things(), things_without_destructor()])
def test_what_toolchains_build_is_followed(data: bytes, tmp_path: Path) -> None:
    """A shim that names, a component around another, and without a destructor."""
    assert ["#thing"] == named(data)
    tools("validate", data + drops_tail(data), tmp_path)


def test_an_imported_component_is_not_followed() -> None:
    """Wasmtime refuses it where it matters."""
    inner = '(import "c" (component $c (export "r" (type (sub resource))))) (instance $i (instantiate $c))'
    assert [] == resources_of(assemble(f'(component {inner} (export "i" (instance $i)))'))


def test_the_plugin_has_one_resource_of_its_own() -> None:
    """The other one that it exports is the host's."""
    assert ["#counter"] == named(binary("plugin"))


@pytest.mark.parametrize("name", ["echo", "counter", "callback", "hostile", "wasi", "state1"])
def test_nothing_is_appended_to_what_has_none(name: str) -> None:
    """All of it is read and understood."""
    assert [] == resources_of(binary(name))
    assert b"" == drops_tail(binary(name))


@pytest.mark.parametrize("prelude", PRELUDES)
def test_whatever_stands_before_shifts_the_indexes_right(prelude: str, tmp_path: Path) -> None:
    """Also when the byte path's tail comes first."""
    data = wat.low_level({}, prelude=f'{prelude} (type $own (resource (rep i32))) (export "own-r" (type $own))')
    tail = extension_of(data)
    tools("validate", data + drops_tail(data), tmp_path)
    tools("validate", data + tail + drops_tail(data, tail), tmp_path)


def test_many_resources_are_told_apart(tmp_path: Path, bare: BareEngine) -> None:
    """In instances and by themselves, in any order: each has the function that drops it."""
    parts = []
    for number in range(40):
        parts.append(f"(type $r{number} (resource (rep i32)))")
        of = f'(instance $i{number} (export "r" (type $r{number})))' if number % 3 else ""
        parts.append(of + f' (export "e{number}" ({f"instance $i{number}" if of else f"type $r{number}"}))')
    data = assemble(f"(component {' '.join(parts)})")
    whole = data + drops_tail(data)
    tools("validate", whole, tmp_path)
    drops = world_of(bare.compile(whole), bare.engine).drops
    expected = {f"e{number}#r" if number % 3 else f"e{number}": f"{DROP}{number}" for number in range(40)}
    assert expected == {str(resource): name for resource, name in drops.items()}


@pytest.mark.parametrize("of", VALUES)
def test_types_of_all_kinds_are_passed_over(of: str, tmp_path: Path) -> None:
    """To what follows them."""
    prelude = f"(type {of})" + (f" (type (option {of}))" if of in {"bool", "string"} else "")
    data = things(prelude)
    assert ["#thing"] == named(data)
    tools("validate", data + drops_tail(data), tmp_path)


def section(kind: int, content: bytes) -> bytes:
    """A section of less than 128 bytes."""
    return bytes([kind, len(content)]) + content


@pytest.mark.parametrize(
    ("sections", "why"),
    [
        (section(5, b"\1\0\0\0"), "no component 0"),
        (section(5, b"\1\1\1\0\1a\3\0"), "no type 0"),
        (section(6, b"\1\3\0\0\1a"), "no instance 0"),
        (section(6, b"\1\3\2\1\0"), "further out"),
        (section(7, b"\1\x5f"), "type 0x5f"),
        (section(7, b"\1\x42\1\0"), "declaration 0x0"),
        (section(7, b"\1\x72\1\xff"), "too early"),
        (section(10, b"\1\0\1a\2\0"), "sort 2"),
        (section(10, b"\1\2\1a\3\1"), "a name with more"),
        (section(11, b"\1\0\1a\3\0\0"), "no type 0"),
        (section(9, b"\0"), "section 9"),
        (section(4, HEADER) + section(5, b"\1\0\0\0") + section(5, b"\1\0\1\0"), "no component 1"),
    ],
)
def test_what_cannot_be_followed_is_not_recognised(sections: bytes, why: str) -> None:
    """Nothing is appended then."""
    with pytest.raises(Unrecognised, match=why):
        resources_of(HEADER + sections)
    assert b"" == drops_of(HEADER + sections, b"")


def test_components_in_each_other_without_end_are_not_recognised() -> None:
    """Before they take Python's stack."""
    of = b"\x42\0"
    for _ in range(MAX_DEPTH):
        of = b"\x42\1\1" + of
    with pytest.raises(Unrecognised, match="in each other"):
        resources_of(HEADER + b"\x07" + long_number(len(of) + 1) + b"\1" + of)


def test_components_that_multiply_are_not_recognised() -> None:
    """Each instantiates the one before it ten times: a few hundred bytes that would take for ever to follow."""
    inside = ""
    for _ in range(12):
        inside = f"(component $c {inside} {'(instance (instantiate $c))' * 10 if inside else ''})"
    with pytest.raises(Unrecognised, match="items"):
        resources_of(assemble(f"(component {inside} (instance (instantiate $c)))"))


def long_number(value: int) -> bytes:
    """An unsigned LEB128 of two bytes."""
    return struct.pack("BB", value & 0x7F | 0x80, value >> 7)


@given(st.binary(max_size=300))
def test_no_bytes_make_reading_fail_in_another_way(noise: bytes) -> None:
    """Whatever is in the sections: nothing, or what wasmtime then refuses."""
    with contextlib.suppress(Unrecognised):
        drops_tail(HEADER + noise)
    with contextlib.suppress(Unrecognised):
        drops_tail(things() + noise)


def test_mutants_that_are_valid_stay_valid(bare: BareEngine) -> None:
    """With one bit flipped: what wasmtime still takes it takes with a tail, which drops all that it exports."""
    dice, taken = random.Random(2026), 0
    sources = [binary("plugin"), things(), composed_things(), bare_thing()]
    for _ in range(200):
        mutant = bytearray(dice.choice(sources))
        mutant[dice.randrange(8, len(mutant))] ^= 1 << dice.randrange(8)
        with contextlib.suppress(WasmtimeRefused):
            before = world_of(bare.compile(bytes(mutant)), bare.engine)
            with contextlib.suppress(Unrecognised):
                taken += check_extended(bare, bytes(mutant), before)
    assert taken > 5


def check_extended(bare: BareEngine, component: bytes, before: World) -> bool:
    """True; fails when wasmtime refuses a component with its tail alone, or something in its world has changed."""
    try:
        after = world_of(bare.compile(component + drops_tail(component)), bare.engine)
    except WasmtimeRefused as exc:
        pytest.fail(f"valid without its tail only: {exc}")
    assert (before.imports, before.exports) == (after.imports, after.exports)
    own = {r for interface in before.exports.values() for r in interface.resources.values() if not r.imported}
    assert own == after.drops.keys()
    return True
