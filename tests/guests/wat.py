"""Components that do not fit the contract, as bytes, for tests of bad input.

Every function in them traps, so that they only serve to be refused. ``lifecycle()`` without arguments fits, and so
does ``low_level()``, whose functions and allocator do what a test says.
"""

from airssys_wasm.runtime.wat import assemble
from airssys_wasm.testing.wat import EXPORTS, LIFECYCLE, TYPES, lifecycle_component

CORE_MODULE = assemble('(module (func (export "handle-message")))')
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
    functions = {name: (component, f"{flat} unreachable") for name, (component, flat) in exports.items()}
    return lifecycle_component(functions, prelude=prelude, version=version)


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
    return assemble("(component)")


def low_level(functions: dict[str, str], realloc: str = "", prelude: str = "") -> bytes:
    """A component that fits, with an allocator and post-return functions of its own.

    Args:
        functions: The bodies of core functions by the name of the export, with ``post-`` before it for its post-return;
            the others trap, but for those that the start needs, which answer ok. The message is at ``$message``.
        realloc: What the allocator, which never frees, does first.
        prelude: Component fields to begin with.
    """
    bodies = {"initialize": _OK, "metadata": _OK, "shutdown": _OK} | functions
    posted = [name for name in EXPORTS if name != "health"]
    cores = [
        f'(func (export "{LIFECYCLE}#{name}") {EXPORTS[name][1]} {bodies.get(name, "unreachable")})' for name in EXPORTS
    ]
    cores += [f'(func (export "cabi_post_{name}") (param i32) {bodies.get(f"post-{name}", "")})' for name in posted]
    posts = [f'(alias core export $core "cabi_post_{name}" (core func $post-{name}))' for name in posted]
    lifts = [
        f'(alias core export $core "{LIFECYCLE}#{name}" (core func $core-{name})) (func ${name} {kind} (canon lift'
        f" (core func $core-{name}) (memory $memory) (realloc $realloc)"
        f" {f'(post-return $post-{name})' if name in posted else ''}))"
        for name, (kind, _) in EXPORTS.items()
    ]
    types = [
        f'(type ${name}-type {text}) (export ${name} "{name}" (type ${name}-type))' for name, text in TYPES.items()
    ]
    names = [f'(export "{name}" (func ${name}))' for name in EXPORTS]
    return assemble(f"""(component
        {prelude}
        {" ".join(types)}
        (core module $module
            (memory (export "memory") 1)
            (global $next (mut i32) (i32.const 1024))
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
                (local $at i32)
                {realloc}
                (local.set $at (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8)))
                (global.set $next (i32.add (local.get $at) (local.get 3)))
                (local.get $at))
            {" ".join(cores)})
        (core instance $core (instantiate $module))
        (alias core export $core "memory" (core memory $memory))
        (alias core export $core "cabi_realloc" (core func $realloc))
        {" ".join(posts)}
        {" ".join(lifts)}
        (instance $lifecycle {" ".join(names)})
        (export "{LIFECYCLE}" (instance $lifecycle)))""")


# Zeroes, where nothing else is: ok, or metadata that says nothing.
_OK = "(i32.const 512)"
