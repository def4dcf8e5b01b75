"""The texts of wasmtime's errors, and what they are to us."""

from collections.abc import Callable
from typing import Final

import pytest

from airssys_wasm.core.errors import FuelExhausted, InstantiationFailed, Trap
from airssys_wasm.runtime.abi import capi
from airssys_wasm.runtime.abi.codec import codec_for
from airssys_wasm.runtime.abi.types import STRING, ListType, Scalar
from airssys_wasm.runtime.abi.values import Keep
from airssys_wasm.runtime.traps import MAX_BACKTRACE_CHARS, OTHER, TRAP_TEXTS, instantiation_error, split, trap_from
from tests.runtime.bare import BareEngine, BareStore
from tests.runtime.toys import NUMBERS, REALLOC, component

TABLE: Final = "(type $plain (func)) (table 2 funcref) (elem (i32.const 0) $typed) (func $typed (param i64))"
POINTED: Final = (
    "(result i32) (i32.store (i32.const 8) (i32.const {})) (i32.store (i32.const 12) (i32.const {})) i32.const 8"
)
LEAVING: Final = """
    (import "test:host/calls" (instance $host (export "leave" (func))))
    (alias export $host "leave" (func $leave)) (core func $core-leave (canon lower (func $leave)))
    (core instance $given (export "leave" (func $core-leave)))
"""
BACKTRACE: Final = """error while executing at wasm backtrace:
    0:     0x83 - module!{}

Caused by:
    wasm trap: wasm `unreachable` instruction executed
"""


def crime(text: str, kind: str = "", core: str = TABLE) -> str:
    """The error of calling a function that was written to fail."""
    store = BareStore.ready(BareEngine(), component({"f": (kind, text)}, core=core))
    return failed(store, results=int("result" in kind))


def failed(store: BareStore, images: bytes = b"", name: str = "f", results: int = 1, keep: object = None) -> str:
    """The error of a call."""
    try:
        return store.begin(name, images, results=results, keep=keep).finish() or "no error"
    finally:
        store.close()


def out_of_fuel() -> str:
    """A Store that never got any."""
    return failed(BareStore.ready(BareEngine(metered=True), NUMBERS), name="loop", results=0)


def out_of_time() -> str:
    """A Store that does not yield."""
    engine = BareEngine()
    store = BareStore(engine, engine.compile(NUMBERS))
    capi.context_set_epoch_deadline(store.context, 1)
    assert store.instantiate().finish() is None
    engine.tick()
    return failed(store, name="loop", results=0)


def spent() -> str:
    """A call after a trap."""
    store = BareStore.ready(BareEngine(), component({"f": ("", "unreachable")}))
    store.begin("f", results=0).finish()
    return failed(store, results=0)


def leaving() -> str:
    """An allocator that calls the host."""
    engine, keep = BareEngine(), Keep()
    engine.define("test:host/calls", {"leave": lambda *_: None})
    taking = component(
        {"f": ('(param "text" string)', "(param i32 i32)")},
        prelude=LEAVING,
        core='(import "host" "leave" (func $leave))',
        given='(with "host" (instance $given))',
        realloc=REALLOC.replace("(local $at i32)", "(local $at i32) (call $leave)"),
    )
    return failed(BareStore.ready(engine, taking), codec_for(STRING).lower("text", keep), results=0, keep=keep)


def crooked_allocator() -> str:
    """An allocator whose answers are not aligned."""
    crooked = REALLOC.replace("local.get $at)", "i32.const 4097)")
    taking = component({"f": ('(param "list" (list u32))', "(param i32 i32)")}, realloc=crooked)
    keep = Keep()
    images = codec_for(ListType(Scalar("u32"))).lower([1], keep)
    return failed(BareStore.ready(BareEngine(), taking), images, results=0, keep=keep)


def too_much() -> str:
    """An answer over the copy limit."""
    images = codec_for(Scalar("u32")).lower(3 << 20, Keep())
    return failed(BareStore.ready(BareEngine(), NUMBERS), images, name="bytes")


CRIMES: Final[dict[str, Callable[[], str]]] = {
    "all fuel consumed by WebAssembly": out_of_fuel,
    "wasm trap: interrupt": out_of_time,
    "call stack exhausted": lambda: crime("(call $deep)", core="(func $deep (call $deep))"),
    "out of bounds memory access": lambda: crime("(drop (i32.load (i32.const -8)))"),
    "out of bounds table access": lambda: crime("(drop (table.get (i32.const 9)))"),
    "undefined element": lambda: crime("(call_indirect (type $plain) (i32.const 7))"),
    "uninitialized element": lambda: crime("(call_indirect (type $plain) (i32.const 1))"),
    "indirect call type mismatch": lambda: crime("(call_indirect (type $plain) (i32.const 0))"),
    "integer divide by zero": lambda: crime("(drop (i32.div_u (i32.const 1) (i32.const 0)))"),
    "integer overflow": lambda: crime("(drop (i32.div_s (i32.const -2147483648) (i32.const -1)))"),
    "invalid conversion to integer": lambda: crime("(drop (i32.trunc_f32_s (f32.const nan)))"),
    "wasm `unreachable` instruction executed": lambda: crime("unreachable"),
    "cannot enter component instance": spent,
    "cannot leave component instance": leaving,
    "too much data is being copied": too_much,
    "not aligned": lambda: crime(POINTED.format(65, 1), "(result (list u32))"),
    "out of bounds of memory": lambda: crime(POINTED.format(64, -1), "(result (list u8))"),
    "invalid utf-8": lambda: crime(
        f"{POINTED.format(64, 1)} (i32.store8 (i32.const 64) (i32.const 255))", "(result string)"
    ),
    "discriminant": lambda: crime("(result i32) i32.const 9", "(result (result))"),
    "out of range for `char`": lambda: crime("(result i32) i32.const 0xd800", "(result char)"),
    "realloc return": crooked_allocator,
}


def test_every_text_of_the_table_can_be_provoked() -> None:
    """A row without a crime below is a row that nobody knows to be true."""
    assert [piece for piece, _ in TRAP_TEXTS] == list(CRIMES)


@pytest.mark.parametrize(("piece", "code"), TRAP_TEXTS, ids=[piece for piece, _ in TRAP_TEXTS])
def test_wasmtime_says_what_the_table_expects(piece: str, code: str) -> None:
    """And it becomes the trap of that row's code."""
    text = CRIMES[piece]()
    assert piece in text
    assert code == getattr(trap_from(text), "code", "")


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("(result string)", "(result i32) i32.const 2"),
        ("(result string)", "(result i32) i32.const -8"),
        ("(result string)", POINTED.format(-16, 32)),
        ("(result (list u8))", POINTED.format(-16, 32)),
        ("(result (option u8))", "(result i32) (i32.store8 (i32.const 8) (i32.const 9)) i32.const 8"),
    ],
)
def test_answers_that_break_the_canonical_abi_are_invalid(kind: str, text: str) -> None:
    """Pointers, lengths and discriminants, each in its place."""
    error = trap_from(crime(text, kind))
    assert "invalid-answer" == getattr(error, "code", "")


def test_fuel_has_a_class_of_its_own() -> None:
    """The other traps share one."""
    assert isinstance(trap_from(out_of_fuel()), FuelExhausted)
    assert Trap is type(trap_from(spent()))


def test_a_text_that_no_row_knows_is_still_a_trap() -> None:
    """With its text, whatever it is."""
    error = trap_from("something new")
    assert isinstance(error, Trap)
    assert (OTHER, "something new") == (error.code, error.detail)


def test_the_cause_is_one_line_and_the_backtrace_stays_apart() -> None:
    """The text is for people, the guest's frames for its author."""
    cause, backtrace = split(BACKTRACE.format("run"))
    assert "wasm trap: wasm `unreachable` instruction executed" == cause
    assert backtrace is not None
    assert "module!run" in backtrace


def test_a_chain_of_causes_reads_from_the_outermost() -> None:
    """Wasmtime numbers them when there are several."""
    text = (
        "component imports instance `a:b/c`\n\nCaused by:\n    0: instance export `run` has the wrong type\n    1: no"
    )
    assert ("component imports instance `a:b/c`: instance export `run` has the wrong type: no", None) == split(text)


@pytest.mark.parametrize("text", ["", "\n\n", "Caused by:"])
def test_an_error_without_text_says_so(text: str) -> None:
    """Never an empty sentence."""
    assert ("no text", None) == split(text)


def test_a_function_name_does_not_choose_the_cause() -> None:
    """A guest names its functions, and they stand in the backtrace."""
    name = "x\n\nCaused by:\n    all fuel consumed by WebAssembly"
    error = trap_from(BACKTRACE.format(name))
    assert isinstance(error, Trap)
    assert "unreachable" == error.code


def test_a_backtrace_is_cut() -> None:
    """Names of any length do not pile up in events."""
    cause, backtrace = split(BACKTRACE.format("x" * 10 * MAX_BACKTRACE_CHARS))
    assert "wasm trap: wasm `unreachable` instruction executed" == cause
    assert MAX_BACKTRACE_CHARS == len(backtrace or "")


def test_a_trap_while_instantiating_is_the_cause_of_the_failed_start() -> None:
    """Without a backtrace there was no guest code, and so no trap."""
    error = instantiation_error(BACKTRACE.format("start"))
    assert isinstance(error, InstantiationFailed)
    assert isinstance(error.__cause__, Trap)
    assert instantiation_error("resource limit exceeded: memory count too high at 2").__cause__ is None
