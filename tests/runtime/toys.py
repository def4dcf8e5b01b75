"""Small components written in WAT, for what no guest of `tests/guests` does."""

from collections.abc import Iterator, Mapping
from typing import Final

from wasmtime import wat2wasm

from airssys_wasm.runtime.abi.types import (
    EnumType,
    FlagsType,
    ListType,
    OptionType,
    RecordType,
    ResultType,
    TupleType,
    VariantType,
    WitType,
    parts_of,
)

REALLOC: Final = """
    (global $next (mut i32) (i32.const 4096))
    (func $realloc (export "realloc") (param i32 i32 i32 i32) (result i32)
        (local $at i32)
        (local.set $at (i32.and
            (i32.add (global.get $next) (i32.sub (local.get 2) (i32.const 1)))
            (i32.sub (i32.const 0) (local.get 2))))
        (global.set $next (i32.add (local.get $at) (local.get 3)))
        (block $fits (loop $more
            (br_if $fits (i32.le_u (global.get $next) (i32.shl (memory.size) (i32.const 16))))
            (br_if $more (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))
            unreachable))
        local.get $at)
"""
"""An allocator that never frees, and traps when memory is refused."""


def component(
    functions: Mapping[str, tuple[str, str]],
    *,
    prelude: str = "",
    core: str = "",
    given: str = "",
    memory: str = "1",
    realloc: str = REALLOC,
) -> bytes:
    """A component that exports functions.

    Args:
        functions: By name, the component type and the core function behind its export.
        prelude: Component fields to begin with, such as imports and types.
        core: Core module fields besides, such as imports (which come first).
        given: What the core module is instantiated with.
        memory: Pages of its memory.
        realloc: The allocator.
    """
    exports = "\n".join(f'(func (export "{name}") {text})' for name, (_, text) in functions.items())
    lifts = "\n".join(_lift(name, kind) for name, (kind, _) in functions.items())
    return bytes(
        wat2wasm(f"""(component
            {prelude}
            (core module $module
                {core}
                (memory (export "memory") {memory})
                {realloc}
                {exports})
            (core instance $core (instantiate $module {given}))
            (alias core export $core "memory" (core memory $memory))
            (alias core export $core "realloc" (core func $realloc))
            {lifts})""")
    )


def _lift(name: str, kind: str) -> str:
    return (
        f'(alias core export $core "{name}" (core func $core-{name}))'
        f'(func (export "{name}") {kind} (canon lift (core func $core-{name}) (memory $memory) (realloc $realloc)))'
    )


NUMBERS: Final = component(
    {
        "same": ('(param "n" u32) (result u32)', "(param i32) (result i32) local.get 0"),
        "loop": ("", "(loop (br 0))"),
        "spin": (
            '(param "n" u32) (result u32)',
            (
                "(param i32) (result i32) (local i32) (local.set 1 (local.get 0)) (loop"
                " (local.set 1 (i32.sub (local.get 1) (i32.const 1))) (br_if 0 (local.get 1))) local.get 0"
            ),
        ),
        "grow": ('(param "pages" u32) (result u32)', "(param i32) (result i32) (memory.grow (local.get 0))"),
        "fill": (
            '(param "mib" u32)',
            (
                "(param i32) (drop (memory.grow (i32.shl (local.get 0) (i32.const 4))))"
                " (memory.fill (i32.const 65536) (i32.const 1) (i32.shl (local.get 0) (i32.const 20)))"
            ),
        ),
        "bytes": (
            '(param "n" u32) (result (list u8))',
            (
                "(param i32) (result i32) (i32.store (i32.const 8)"
                " (call $realloc (i32.const 0) (i32.const 0) (i32.const 1) (local.get 0)))"
                " (i32.store (i32.const 12) (local.get 0)) i32.const 8"
            ),
        ),
    }
)
"""`same`: the argument; `spin`: the same after that many rounds; `bytes`: that many zeros."""

WAITS: Final = component(
    {
        "wait": ('(param "n" u32) (result u32)', "(param i32) (result i32) (call $wait (local.get 0))"),
        "tell": ('(param "n" u32)', "(param i32) (call $tell (local.get 0))"),
        "deep": ('(param "n" u32) (result u32)', "(param i32) (result i32) (call $deep (local.get 0))"),
    },
    prelude="""
        (import "test:host/calls" (instance $host
            (export "wait" (func (param "n" u32) (result u32))) (export "tell" (func (param "n" u32)))))
        (alias export $host "wait" (func $wait)) (core func $core-wait-import (canon lower (func $wait)))
        (alias export $host "tell" (func $tell)) (core func $core-tell-import (canon lower (func $tell)))
        (core instance $given (export "wait" (func $core-wait-import)) (export "tell" (func $core-tell-import)))
    """,
    core='(import "host" "wait" (func $wait (param i32) (result i32))) (import "host" "tell" (func $tell (param i32)))'
    " (func $deep (param i32) (result i32) (if (result i32) (local.get 0)"
    " (then (i32.add (call $deep (i32.sub (local.get 0) (i32.const 1))) (i32.const 1)))"
    " (else (call $wait (i32.const 0)))))",
    given='(with "host" (instance $given))',
)
"""Each export calls the host function of its name; `deep` calls `wait` that many calls down."""


MANY: Final = component(
    {
        "send": ('(param "n" u32)', "(param i32) (call $take (i32.const 65536) (local.get 0))"),
        "make": (
            '(param "n" u32) (result (list (tuple u32 u32)))',
            (
                "(param i32) (result i32) (i32.store 1 (i32.const 8) (i32.const 65536))"
                " (i32.store 1 (i32.const 12) (local.get 0)) i32.const 8"
            ),
        ),
        "get": ('(param "v" (list (tuple u32 u32))) (result u32)', "(param i32 i32) (result i32) local.get 1"),
        "ask": (
            '(param "n" u32) (result u32)',
            "(param i32) (result i32) (call $give (local.get 0) (i32.const 8)) (i32.load (i32.const 12))",
        ),
        "spend": (
            '(param "n" u32)',
            (
                "(param i32) (local i32) (loop (i32.store (i32.add (i32.const 65536) (i32.shl (local.get 1)"
                " (i32.const 2))) (call $new (local.get 1))) (local.set 1 (i32.add (local.get 1) (i32.const 1)))"
                " (br_if 0 (i32.lt_u (local.get 1) (local.get 0)))) (call $spend (i32.const 65536) (local.get 0))"
            ),
        ),
    },
    prelude="""
        (import "test:host/many" (instance $host
            (export "thing" (type $thing (sub resource)))
            (export "[constructor]thing" (func (param "n" u32) (result (own $thing))))
            (export "take" (func (param "v" (list (tuple u32 u32)))))
            (export "give" (func (param "n" u32) (result (list (tuple u32 u32)))))
            (export "spend" (func (param "v" (list (own $thing)))))))
        (core module $shared (memory (export "memory") 200)
            (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 8388608)))
        (core instance $own (instantiate $shared))
        (alias core export $own "memory" (core memory $given-memory))
        (alias core export $own "realloc" (core func $given-realloc))
        (alias export $host "take" (func $take))
        (core func $core-take-import (canon lower (func $take) (memory $given-memory)))
        (alias export $host "give" (func $give))
        (core func $core-give-import
            (canon lower (func $give) (memory $given-memory) (realloc $given-realloc)))
        (alias export $host "spend" (func $spend))
        (core func $core-spend-import (canon lower (func $spend) (memory $given-memory)))
        (alias export $host "[constructor]thing" (func $new))
        (core func $core-new-import (canon lower (func $new)))
        (core instance $given (export "take" (func $core-take-import)) (export "give" (func $core-give-import))
            (export "spend" (func $core-spend-import)) (export "new" (func $core-new-import))
            (export "memory" (memory $given-memory)))
    """,
    core="""
        (import "host" "memory" (memory 200))
        (import "host" "take" (func $take (param i32 i32))) (import "host" "give" (func $give (param i32 i32)))
        (import "host" "spend" (func $spend (param i32 i32))) (import "host" "new" (func $new (param i32) (result i32)))
    """,
    given='(with "host" (instance $given))',
    memory="200",
)
"""Lists of any length: to the host (`send`, with handles `spend`), from it (`ask`), to the guest (`get`), from it
(`make`); numbers are zero."""


def echo_component(of: WitType) -> bytes:
    """A component whose `echo` answers any value of a type, with 16 bytes beside it so that both go through memory."""
    names = dict[WitType, str]()
    definitions = "\n".join(_define(of, names))
    pad = "(tuple " + " ".join(["u8"] * 16) + ")"
    pair = f"(tuple {_reference(of, names)} {pad})"
    return component(
        {"echo": (f'(param "value" {pair}) (result {pair})', "(param i32) (result i32) local.get 0")},
        prelude=definitions,
    )


def _define(of: WitType, names: dict[WitType, str]) -> Iterator[str]:
    """Definitions of the named types inside a type, the innermost first: functions may use only exported ones."""
    for part in parts_of(of):
        yield from _define(part, names)
    if isinstance(of, RecordType | VariantType | EnumType | FlagsType) and of not in names:
        number = len(names)
        yield f'(type $t{number} {_text(of, names)}) (export $e{number} "t{number}" (type $t{number}))'
        names[of] = f"$e{number}"


def _reference(of: WitType, names: Mapping[WitType, str]) -> str:
    return names.get(of) or _text(of, names)


def _text(of: WitType, names: Mapping[WitType, str]) -> str:  # noqa: PLR0911 - as above
    def show(part: WitType | None, before: str = "") -> str:
        return "" if part is None else f"{before}{_reference(part, names)}"

    match of:
        case ListType(element):
            return f"(list {show(element)})"
        case OptionType(some):
            return f"(option {show(some)})"
        case TupleType(items):
            return f"(tuple {' '.join(map(show, items))})"
        case RecordType(fields):
            return "(record " + " ".join(f'(field "{name}" {show(field)})' for name, field in fields) + ")"
        case VariantType(cases):
            return "(variant " + " ".join(f'(case "{name}"{show(payload, " ")})' for name, payload in cases) + ")"
        case EnumType(cases):
            return "(enum " + " ".join(f'"{name}"' for name in cases) + ")"
        case FlagsType(flags):
            return "(flags " + " ".join(f'"{name}"' for name in flags) + ")"
        case ResultType(ok, err):
            return f"(result {show(ok)} {f'(error {show(err)})' if err else ''})"
        case _:
            return str(of)
