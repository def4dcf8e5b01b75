"""Components that do not fit the contract, as bytes, for tests of bad input.

Every function in them traps, so that they only serve to be refused. ``lifecycle()`` without arguments fits.
"""

from airssys_wasm.runtime.wat import assemble
from airssys_wasm.testing.wat import EXPORTS, lifecycle_component

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
