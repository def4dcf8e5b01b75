"""What a component is, read from its compiled form without running it."""

from wasmtime.component import Component

from airssys_wasm.core.observations import ComponentReport
from airssys_wasm.runtime.abi.reader import Interface, world_of
from airssys_wasm.runtime.compiled import export_problems, import_problems, speaks_for_itself, uses_wasi
from airssys_wasm.runtime.machine import Machine
from airssys_wasm.runtime.python_types import python_types
from airssys_wasm.runtime.wit_text import wit_text


def report(machine: Machine, component: Component, size_bytes: int, source: str = "a component") -> ComponentReport:
    """List what the component imports and exports, function by function, and every reason why it does not fit."""
    world = world_of(component, machine.engine)
    imports, exports = world.imports, world.exports
    problems = [
        *(f"export {name} {problem}" for name, problem in export_problems(exports)),
        *(f"import {name} {problem}" for name, problem in import_problems(imports)),
    ]
    return ComponentReport(
        size_bytes=size_bytes,
        imports=_listed(imports),
        exports=_listed(exports),
        fits=not problems,
        problems=tuple(problems),
        wasi=uses_wasi(machine, component),
        callable=speaks_for_itself(exports),
        wit=wit_text(world),
        python=python_types(world, source),
    )


def _listed(interfaces: dict[str, Interface]) -> tuple[str, ...]:
    lines: list[str] = []
    for name, interface in interfaces.items():
        shown = [f"{name}#{function}" if function else name for function in interface.functions]
        lines += shown or [name] * bool(name)
    return tuple(lines)
