"""Components that do not fit the contract, as bytes, for tests of bad input.

Every function in them traps, so that they only serve to be refused. ``lifecycle()`` without arguments fits.
"""

from wasmtime import wat2wasm

CORE_MODULE = bytes(wat2wasm('(module (func (export "handle-message")))'))

_TYPES = {
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

# Each export's component type, and its flat parameters and result.
EXPORTS = {
    "initialize": (
        '(param "config" $component-config) (result (result (error $component-error)))',
        "(param i32 i32 i32 i32 i32 i64 i64 i32 i64) (result i32)",
    ),
    "handle-message": (
        '(param "msg" $component-message) (result (result (option (list u8)) (error $wasm-error)))',
        "(param i32) (result i32)",
    ),
    "handle-callback": (
        '(param "msg" $component-message) (result (result (error $wasm-error)))',
        "(param i32) (result i32)",
    ),
    "metadata": ("(result $component-metadata)", "(result i32)"),
    "health": ("(result $health-status)", "(result i32)"),
    "shutdown": ("(result (result (error $component-error)))", "(result i32)"),
}
WRONG_TYPE = ('(param "msg" string) (result u32)', "(param i32 i32) (result i32)")


def lifecycle(without: str = "", wrong: str = "", prelude: str = "", version: str = "1.0.0") -> bytes:
    """A component that exports component-lifecycle.

    Args:
        without: The function to leave out.
        wrong: The function to export with another type, from string to u32.
        prelude: Component fields to begin with, such as imports.
        version: The version of airssys:core that it claims.
    """
    exports = {name: WRONG_TYPE if name == wrong else types for name, types in EXPORTS.items() if name != without}
    types = "\n".join(
        f'(type ${name}-type {text}) (export ${name} "{name}" (type ${name}-type))' for name, text in _TYPES.items()
    )
    cores = "\n".join(f'(func (export "{name}") {flat} unreachable)' for name, (_, flat) in exports.items())
    lifts = "\n".join(_lift(name, component) for name, (component, _) in exports.items())
    names = " ".join(f'(export "{name}" (func ${name}))' for name in exports)
    return bytes(
        wat2wasm(f"""(component
            {prelude}
            {types}
            (core module $module
                (memory (export "memory") 1)
                (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) unreachable)
                {cores})
            (core instance $core (instantiate $module))
            (alias core export $core "memory" (core memory $memory))
            (alias core export $core "cabi_realloc" (core func $realloc))
            {lifts}
            (instance $lifecycle {names})
            (export "airssys:core/component-lifecycle@{version}" (instance $lifecycle)))""")
    )


def missing_export(name: str) -> bytes:
    """A component with five of the six functions."""
    return lifecycle(without=name)


def wrong_type(name: str) -> bytes:
    """A component of whose six functions one has a type that is not the contract's."""
    return lifecycle(wrong=name)


def unknown_import(name: str = "other:pkg/thing") -> bytes:
    """A component that fits, but imports an instance with a function that nobody provides."""
    return lifecycle(prelude=f'(import "{name}" (instance (export "run" (func))))')


def empty_component() -> bytes:
    """A valid component without imports and exports."""
    return bytes(wat2wasm("(component)"))


def _lift(name: str, component_type: str) -> str:
    return (
        f'(alias core export $core "{name}" (core func $core-{name}))'
        f" (func ${name} {component_type}"
        f" (canon lift (core func $core-{name}) (memory $memory) (realloc $realloc)))"
    )
