"""Tiny components of the contract, written in WAT: real WebAssembly for a test, without a toolchain.

guest = contract_component(handle_message="(call $some (i32.const 1024) (i32.const 4))", data="pong")

Each argument is the body of one export as a core function, with these to call:

| function | gives |
|---|---|
| `$payload (param $message i32) (result i32)`, `$length` likewise | where the message's payload is, and its bytes |
| `$some (param $at i32) (param $length i32) (result i32)` | the answer some(these bytes) |
| `$none (result i32)` | the answer none |
| `$fail (param $at i32) (param $length i32) (result i32)` | the answer err(runtime-error(this UTF-8 text)) |
| `$ok (result i32)` | ok, for the exports that answer nothing |

`data` is at `DATA_AT` (1024) in memory. What the host writes there begins at `HEAP_AT` and is released when a call has
been answered; in between is room for the guest's own.
"""

from collections.abc import Mapping
from typing import Final

from airssys_wasm.system.builder import assemble

LIFECYCLE: Final = "airssys:core/component-lifecycle@1.0.0"
"""The interface; a core function that stands behind an export is named after both, as the toolchains do it."""

DATA_AT: Final = 1024
HEAP_AT: Final = 32768

TYPES: Final = {
    "component-id": '(record (field "namespace" string) (field "name" string) (field "instance" string))',
    "timestamp": '(record (field "seconds" u64) (field "nanoseconds" u32))',
    "message-metadata": (
        '(record (field "correlation-id" (option string)) (field "reply-to" (option $component-id))'
        ' (field "timestamp" $timestamp) (field "content-type" (option string)))'
    ),
    "component-message": (
        '(record (field "sender" $component-id) (field "payload" (list u8)) (field "metadata" $message-metadata))'
    ),
    "resource-limits": (
        '(record (field "max-memory-bytes" u64) (field "max-execution-time-ms" u64) (field "max-fuel" (option u64)))'
    ),
    "component-config": (
        '(record (field "env-vars" (list (tuple string string))) (field "config-data" (option (list u8)))'
        ' (field "resource-limits" $resource-limits))'
    ),
    "component-metadata": (
        '(record (field "name" string) (field "version" string) (field "description" string)'
        ' (field "author" string) (field "license" string) (field "supported-operations" (list string))'
        ' (field "stateful" bool))'
    ),
    "health-status": '(enum "healthy" "degraded" "unhealthy" "unknown")',
    "wasm-error": (
        '(variant (case "component-not-found" string) (case "instantiation-failed" string)'
        ' (case "export-not-found" string) (case "timeout") (case "resource-limit-exceeded" string)'
        ' (case "invalid-component" string) (case "runtime-error" string))'
    ),
    "component-error": (
        '(variant (case "initialization-failed" string) (case "already-initialized") (case "not-initialized")'
        ' (case "shutdown-failed" string) (case "invalid-state" string))'
    ),
}
"""The types of component-lifecycle, in an order in which each is defined before it is used."""

EXPORTS: Final = {
    "initialize": (
        '(param "config" $component-config) (result (result (error $component-error)))',
        "(param i32 i32 i32 i32 i32 i64 i64 i32 i64) (result i32)",
    ),
    "handle-message": (
        '(param "msg" $component-message) (result (result (option (list u8)) (error $wasm-error)))',
        "(param $message i32) (result i32)",
    ),
    "handle-callback": (
        '(param "msg" $component-message) (result (result (error $wasm-error)))',
        "(param $message i32) (result i32)",
    ),
    "metadata": ("(result $component-metadata)", "(result i32)"),
    "health": ("(result $health-status)", "(result i32)"),
    "shutdown": ("(result (result (error $component-error)))", "(result i32)"),
}
"""Each export's component type, and the parameters and result of the core function behind it."""

ECHO: Final = "(call $some (call $payload (local.get $message)) (call $length (local.get $message)))"

_NAME_AT: Final = 256
# Below DATA_AT: an answer of at most 16 bytes at 16, ok (all zero) at 64, the metadata at 128, its name at _NAME_AT.
_ANSWERS: Final = """
    (func $payload (param i32) (result i32) (i32.load offset=24 (local.get 0)))
    (func $length (param i32) (result i32) (i32.load offset=28 (local.get 0)))
    (func $answer (param $err i32) (param $case i32) (param $at i32) (param $length i32) (result i32)
        (i32.store (i32.const 16) (local.get $err)) (i32.store (i32.const 20) (local.get $case))
        (i32.store (i32.const 24) (local.get $at)) (i32.store (i32.const 28) (local.get $length)) (i32.const 16))
    (func $some (param i32 i32) (result i32)
        (call $answer (i32.const 0) (i32.const 1) (local.get 0) (local.get 1)))
    (func $none (result i32) (call $answer (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)))
    (func $fail (param i32 i32) (result i32)
        (call $answer (i32.const 1) (i32.const 6) (local.get 0) (local.get 1)))
    (func $ok (result i32) (i32.const 64))
"""

_MEMORY: Final = f"""
    (memory (export "memory") 1)
    (global $heap (mut i32) (i32.const {HEAP_AT}))
    (func (export "release") (param i32) (global.set $heap (i32.const {HEAP_AT})))
    (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (local $at i32)
        (local.set $at (i32.and
            (i32.add (global.get $heap) (i32.sub (local.get 2) (i32.const 1)))
            (i32.sub (i32.const 0) (local.get 2))))
        (global.set $heap (i32.add (local.get $at) (local.get 3)))
        (block $fits (loop $more
            (br_if $fits (i32.le_u (global.get $heap) (i32.shl (memory.size) (i32.const 16))))
            (br_if $more (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))
            unreachable))
        local.get $at)
"""


def contract_component(
    handle_message: str = ECHO,
    *,
    initialize: str = "(call $ok)",
    handle_callback: str = "(call $ok)",
    health: str = "(i32.const 0)",
    shutdown: str = "(call $ok)",
    name: str = "wat",
    data: str | bytes = b"",
    fields: str = "",
) -> bytes:
    """A component that loads and runs as any other.

    Args:
        handle_message: body of the core function that gets `$message`; without one it echoes.
        initialize: as `handle_message`, with nothing that is worth reading among its parameters.
        handle_callback: as `handle_message`.
        health: gives 0 healthy, 1 degraded, 2 unhealthy or 3 unknown.
        shutdown: as `initialize`.
        name: what its metadata says.
        data: what is in memory from `DATA_AT` on; a str as UTF-8.
        fields: more of the core module: globals, which live as long as the instance, functions, data.

    Raises:
        InvalidComponent: There is a mistake in the text.
    """
    bodies = {
        "initialize": initialize,
        "handle-message": handle_message,
        "handle-callback": handle_callback,
        "metadata": f"(i64.store (i32.const 128) (i64.const {len(name.encode()) << 32 | _NAME_AT})) (i32.const 128)",
        "health": health,
        "shutdown": shutdown,
    }
    own = _data(_NAME_AT, name.encode()) + _data(DATA_AT, data.encode() if isinstance(data, str) else data)
    functions = {export: (EXPORTS[export][0], f"{EXPORTS[export][1]} {body}") for export, body in bodies.items()}
    return lifecycle_component(functions, fields=_ANSWERS + own + fields)


def lifecycle_component(
    functions: Mapping[str, tuple[str, str]], *, fields: str = "", prelude: str = "", version: str = "1.0.0"
) -> bytes:
    """A component that exports functions as `component-lifecycle`, whether they fit the contract or not.

    Args:
        functions: by name, the component type and the core function behind it; `EXPORTS` has those of the contract.
        fields: of the core module, which has a memory and an allocator.
        prelude: component fields to begin with, such as imports.
        version: of `airssys:core` that it claims.

    Raises:
        InvalidComponent: There is a mistake in the text.
    """
    types = "\n".join(
        f'(type ${name}-type {text}) (export ${name} "{name}" (type ${name}-type))' for name, text in TYPES.items()
    )
    cores = "\n".join(f'(func (export "{LIFECYCLE}#{name}") {text})' for name, (_, text) in functions.items())
    lifts = "\n".join(_lift(name, component) for name, (component, _) in functions.items())
    names = " ".join(f'(export "{name}" (func ${name}))' for name in functions)
    return assemble(f"""(component
        {prelude}
        {types}
        (core module $module {_MEMORY} {fields} {cores})
        (core instance $core (instantiate $module))
        (alias core export $core "memory" (core memory $memory))
        (alias core export $core "cabi_realloc" (core func $realloc))
        (alias core export $core "release" (core func $release))
        {lifts}
        (instance $lifecycle {names})
        (export "airssys:core/component-lifecycle@{version}" (instance $lifecycle)))""")


def _lift(name: str, component_type: str) -> str:
    return (
        f'(alias core export $core "{LIFECYCLE}#{name}" (core func $core-{name}))'
        f" (func ${name} {component_type}"
        f" (canon lift (core func $core-{name}) (memory $memory) (realloc $realloc) (post-return $release)))"
    )


def _data(at: int, content: bytes) -> str:
    escaped = "".join(f"\\{byte:02x}" for byte in content)
    return f'(data (i32.const {at}) "{escaped}")'
