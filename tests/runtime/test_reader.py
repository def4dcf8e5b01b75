"""What a compiled component says of its types."""

import pytest
from hypothesis import given, settings
from wasmtime import wat2wasm

from airssys_wasm.runtime.abi.reader import exports_of, imports_of
from airssys_wasm.runtime.abi.types import FuncType, OtherType, Scalar, TupleType, WitType
from tests.runtime.bare import BareEngine
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


@pytest.mark.parametrize(
    ("definition", "name"),
    [
        ('(flags "a" "b")', "flags"),
        ("(own $r)", "own"),
        ("(borrow $r)", "borrow"),
    ],
)
def test_a_type_without_codec_is_read_by_its_kind(definition: str, name: str) -> None:
    """So that it can be shown, and never equals one of the contract."""
    text = f"""(component (import "a:b/c" (instance
        (export "r" (type $r (sub resource)))
        (type $t' {definition}) (export "t" (type $t (eq $t')))
        (export "f" (func (param "x" $t))))))"""
    found = imports_of(ENGINE.compile(bytes(wat2wasm(text))), ENGINE.engine)["a:b/c"].functions["f"]
    assert FuncType((("x", OtherType(name)),)) == found
    assert f"func(x: {name})" == str(found)
