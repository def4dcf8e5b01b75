"""What a component is, read from its compiled form without running it."""

from wasmtime.component import Component

from airssys_wasm.core.observations import ComponentReport
from airssys_wasm.runtime.abi.reader import Interface, exports_of, imports_of
from airssys_wasm.runtime.compiled import export_problems, import_problems, uses_wasi
from airssys_wasm.runtime.machine import Machine


def report(machine: Machine, component: Component, size_bytes: int) -> ComponentReport:
    """List what the component imports and exports, function by function, and every reason why it does not fit."""
    imports = imports_of(component, machine.engine)
    exports = exports_of(component, machine.engine)
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
    )


def _listed(interfaces: dict[str, Interface]) -> tuple[str, ...]:
    lines: list[str] = []
    for name, interface in interfaces.items():
        shown = [f"{name}#{function}" if function else name for function in interface.functions]
        lines += shown or [name] * bool(name)
    return tuple(lines)
