"""Public tests of the component model as `benchmarks/component_tests.py` runs them, on commands of our own."""

from pathlib import Path
from typing import Any

import pytest

from airssys_wasm.runtime.engine import WasmtimeEngine
from airssys_wasm.runtime.wat import assemble
from benchmarks.wast import Script

ADDS = """(component
  (core module $m (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
    (func (export "stop") unreachable))
  (core instance $i (instantiate $m))
  (func (export "add") (param "a" u32) (param "b" u32) (result u32) (canon lift (core func $i "add")))
  (func (export "stop") (canon lift (core func $i "stop"))))"""

ADDS_BY_ANOTHER = """(component
  (import "adder" (instance $adder (export "add" (func (param "a" u32) (param "b" u32) (result u32)))))
  (core func $add (canon lower (func $adder "add")))
  (core module $m (import "" "add" (func $add (param i32 i32) (result i32)))
    (func (export "twice") (param i32) (result i32) (call $add (local.get 0) (local.get 0))))
  (core instance $i (instantiate $m (with "" (instance (export "add" (func $add))))))
  (func (export "twice") (param "a" u32) (result u32) (canon lift (core func $i "twice"))))"""

STREAMS = """(component (type $s (stream u8)) (core func (canon stream.drop-readable $s)))"""


def number(value: int) -> dict[str, str]:
    """A u32 as the tests write it."""
    return {"type": "u32", "value": str(value)}


def invoke(name: str, *arguments: int) -> dict[str, Any]:
    """A call of a function as the tests write it."""
    return {"type": "invoke", "field": name, "args": [number(value) for value in arguments]}


def returns(value: int, name: str, *arguments: int) -> dict[str, Any]:
    """A test of an answer."""
    return {"type": "assert_return", "line": 1, "action": invoke(name, *arguments), "expected": [number(value)]}


def traps(text: str) -> dict[str, Any]:
    """A test of a trap."""
    return {"type": "assert_trap", "line": 1, "action": invoke("stop"), "text": text}


def makes(file: str, **names: str) -> dict[str, Any]:
    """A component."""
    return {"type": "module", "line": 1, "filename": file, **names}


@pytest.fixture
def script(tmp_path: Path, engine: WasmtimeEngine) -> Script:
    """A script beside its binaries."""
    for name, text in {"adds": ADDS, "twice": ADDS_BY_ANOTHER, "streams": STREAMS}.items():
        (tmp_path / f"{name}.wasm").write_bytes(assemble(text))
    (tmp_path / "broken.wasm").write_bytes(assemble(ADDS)[:-5])
    return Script("script", tmp_path, engine)


async def verdicts(script: Script, *commands: dict[str, Any]) -> list[str]:
    """What becomes of commands."""
    return [outcome.verdict for outcome in await script.run(list(commands))]


async def test_what_a_test_expects_passes_and_what_it_does_not_expect_fails(script: Script) -> None:
    """Answers by value, traps by their text; a spent instance has words of its own."""
    commands = (
        (makes("adds.wasm"), "passed"),
        (returns(5, "add", 2, 3), "passed"),
        (returns(6, "add", 2, 3), "failed"),
        (returns(5, "subtract", 2, 3), "failed"),
        (traps("integer divide by zero"), "failed"),
        (traps("cannot enter component instance"), "passed"),
    )
    assert [expected for _, expected in commands] == await verdicts(script, *[command for command, _ in commands])


async def test_refusals_pass_where_they_are_expected(script: Script) -> None:
    """A whole component that should be refused fails."""
    invalid = {"type": "assert_invalid", "line": 1, "text": "unexpected end"}
    commands = [{**invalid, "filename": "broken.wasm"}, {**invalid, "filename": "adds.wasm"}]
    assert ["passed", "failed"] == await verdicts(script, *commands)


async def test_what_cannot_be_tried_is_told_from_what_fails(script: Script) -> None:
    """With the reason; what is called of it cannot be tried either."""
    outcomes = await script.run([makes("streams.wasm"), returns(1, "add", 0, 1)])
    assert 2 * [("does not fit", "async: future, stream, task and waitable")] == [(o.verdict, o.why) for o in outcomes]


async def test_a_component_is_linked_to_another_one_through_python(script: Script) -> None:
    """By the name that the test gives it."""
    commands = makes("adds.wasm", name="adder"), makes("twice.wasm"), returns(42, "twice", 21)
    assert 3 * ["passed"] == await verdicts(script, *commands)
