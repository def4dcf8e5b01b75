"""What a compiled component says of its types."""

import pytest
from hypothesis import given, settings
from wasmtime import wat2wasm

from airssys_wasm.core.errors import InvalidComponent
from airssys_wasm.core.limits import Limits
from airssys_wasm.runtime.abi.reader import MAX_TYPE_PARTS, exports_of, imports_of, world_of
from airssys_wasm.runtime.abi.types import (
    STRING,
    BorrowType,
    FlagsType,
    FuncType,
    OptionType,
    OwnType,
    ResourceName,
    Scalar,
    TupleType,
    WitType,
)
from airssys_wasm.runtime.engine import WasmtimeEngine
from tests.runtime.bare import BareEngine
from tests.runtime.guests import binary
from tests.runtime.toys import NUMBERS, WAITS, echo_component
from tests.runtime.values import types

ENGINE = BareEngine()
PAD = TupleType((Scalar("u8"),) * 16)


@settings(max_examples=40)
@given(types(max_leaves=10))
def test_a_type_is_read_as_it_was_written(of: WitType) -> None:
    """Any type that there is a codec for, names and order included."""
    pair = TupleType((of, PAD))
    found = exports_of(ENGINE.compile(echo_component(of)), ENGINE.engine)
    assert FuncType((("value", pair),), pair) == found["echo"].functions[""]


def test_functions_of_an_instance_stand_under_its_name() -> None:
    """And a bare function under none."""
    component = ENGINE.compile(WAITS)
    wait = FuncType((("n", Scalar("u32")),), Scalar("u32"))
    assert {"wait": wait, "tell": FuncType((("n", Scalar("u32")),))} == (
        imports_of(component, ENGINE.engine)["test:host/calls"].functions
    )
    assert {"": wait} == exports_of(component, ENGINE.engine)["wait"].functions


def test_a_function_without_result_has_none() -> None:
    """Not an empty tuple."""
    assert FuncType() == exports_of(ENGINE.compile(NUMBERS), ENGINE.engine)["loop"].functions[""]


RESOURCE = ResourceName("a:b/c", "r", imported=True)


@pytest.mark.parametrize(
    ("definition", "expected"),
    [
        ('(flags "a" "b")', FlagsType(("a", "b"))),
        ("(own $r)", OwnType(RESOURCE)),
        ("(borrow $r)", BorrowType(RESOURCE)),
    ],
    ids=str,
)
def test_types_that_only_interfaces_have_are_read(definition: str, expected: WitType) -> None:
    """With the resource's own name."""
    text = f"""(component (import "a:b/c" (instance
        (export "r" (type $r (sub resource)))
        (type $t' {definition}) (export "t" (type $t (eq $t')))
        (export "f" (func (param "x" $t))))))"""
    interface = imports_of(ENGINE.compile(bytes(wat2wasm(text))), ENGINE.engine)["a:b/c"]
    assert FuncType((("x", expected),)) == interface.functions["f"]
    assert {"t": expected} == interface.types
    assert {"r": RESOURCE} == interface.resources
    assert f"func(x: {expected})" == str(interface.functions["f"])


def test_a_resource_keeps_the_name_that_it_was_imported_under() -> None:
    """Also in the types of exports; one that the component defines is told apart."""
    world = world_of(ENGINE.compile(binary("plugin")), ENGINE.engine)
    store = ResourceName("my:app/kv@1.0.0", "store", imported=True)
    counter = ResourceName("my:app/api@1.0.0", "counter")
    api = world.exports["my:app/api@1.0.0"]
    assert {"store": store, "counter": counter} == api.resources
    assert FuncType((("store", BorrowType(store)), ("key", STRING)), OptionType(STRING)) == api.functions["read"]
    assert OwnType(counter) == api.functions["[constructor]counter"].result


def test_types_are_known_by_their_names() -> None:
    """Those of imports and exports."""
    names = world_of(ENGINE.compile(binary("plugin")), ENGINE.engine).type_names
    assert {"kv-error", "point", "shape", "colour", "access", "reason"} == set(names.values())


async def test_a_small_binary_with_huge_types_is_refused(engine: WasmtimeEngine) -> None:
    """A pair of pairs of pairs doubles with each level."""
    pairs = "".join(f"(type $t{level} (tuple $t{level - 1} $t{level - 1}))" for level in range(1, 15))
    function = '(export "f" (func (result (list $t14))))'
    component = wat2wasm(f'(component (import "a:b/c" (instance (type $t0 (list u8)) {pairs} {function})))')
    with pytest.raises(InvalidComponent, match=f"more than {MAX_TYPE_PARTS} parts"):
        await engine.compile(bytes(component), Limits())


RESOURCE_OF_AN_INTERFACE = """(component
  (type $thing (resource (rep i32)))
  (core func $new (canon resource.new $thing))
  (instance $inner (export "thing" (type $thing)))
  (export $api "my:app/api" (instance $inner))
  (alias export $api "thing" (type $exported))
  (core module $m (import "" "new" (func $new (param i32) (result i32)))
    (func (export "make") (result i32) (call $new (i32.const 7))))
  (core instance $i (instantiate $m (with "" (instance (export "new" (func $new))))))
  (func $make (result (own $exported)) (canon lift (core func $i "make")))
  (export "make" (func $make)))"""


def test_a_resource_that_a_bare_function_answers_is_named_by_its_interface() -> None:
    """So that its methods are found there."""
    found = exports_of(ENGINE.compile(bytes(wat2wasm(RESOURCE_OF_AN_INTERFACE))), ENGINE.engine)
    thing = ResourceName("my:app/api", "thing", imported=False)
    assert (FuncType((), OwnType(thing)), {"thing": thing}) == (
        found["make"].functions[""],
        found["my:app/api"].resources,
    )
