"""A component that has been checked and compiled: what loading it, and inspecting it, starts from."""

from typing import Final, final

import attrs
from wasmtime.component import Component

from airssys_wasm.core.errors import ExportNotFound
from airssys_wasm.runtime.abi.codec import codec_for
from airssys_wasm.runtime.abi.component import ExportIndexes
from airssys_wasm.runtime.abi.reader import Interface, exports_of, imports_of
from airssys_wasm.runtime.abi.types import FuncType
from airssys_wasm.runtime.abi.values import Codec
from airssys_wasm.runtime.conduct import Conduct
from airssys_wasm.runtime.contract import COMPONENT_ID, EXPORTS, IMPORTS, LIFECYCLE
from airssys_wasm.runtime.machine import Machine

WASI_PREFIX: Final = "wasi:"


@attrs.frozen(eq=False)
class Signature:
    """How one export is called: a codec for each parameter, and for the result if there is one."""

    params: tuple[Codec, ...]
    result: Codec | None

    @classmethod
    def of(cls, kind: FuncType) -> "Signature":
        """The signature of a function type."""
        result = None if kind.result is None else codec_for(kind.result)
        return cls(tuple(codec_for(of, COMPONENT_ID) for _, of in kind.params), result)


SIGNATURES: Final = {name: Signature.of(kind) for name, kind in EXPORTS.items()}


@final
@attrs.frozen(eq=False)
class Build:
    """A component as one machine compiled it, its contract exports found."""

    machine: Machine
    component: Component
    exports: ExportIndexes

    @classmethod
    def of(cls, machine: Machine, component: Component) -> "Build":
        """Find the exports of a component that fits the contract."""
        return cls(machine, component, ExportIndexes(component, LIFECYCLE, tuple(EXPORTS)))


@final
@attrs.define(eq=False)
class CompiledComponent:
    """A component ready to be loaded any number of times; made by `ActorSystem.compile`.

    `source` names it in errors, `digest` is the SHA-256 of its binary in hexadecimal.
    """

    source: str
    digest: str
    data: bytes = attrs.field(repr=lambda data: f"{len(data)} bytes")
    wasi: bool = False
    conduct: Conduct = attrs.field(factory=Conduct, repr=False)
    builds: dict[bool, Build] = attrs.field(factory=dict, repr=False)
    """By whether fuel is metered."""


def fits(machine: Machine, component: Component, source: str) -> None:
    """Check a component against the contract.

    Raises:
        ExportNotFound: The first export that is missing, or of another type.
    """
    problems = export_problems(exports_of(component, machine.engine))
    if problems:
        name, problem = problems[0]
        raise ExportNotFound(source, name, problem)


def uses_wasi(machine: Machine, component: Component) -> bool:
    """Whether the component imports anything of WASI."""
    return any(name.startswith(WASI_PREFIX) for name in imports_of(component, machine.engine))


def export_problems(exports: dict[str, Interface]) -> list[tuple[str, str]]:
    """Every contract export that is missing or of another type, with what is wrong."""
    functions = exports[LIFECYCLE].functions if LIFECYCLE in exports else {}
    problems = []
    for name, expected in EXPORTS.items():
        found = functions.get(name)
        if found is None:
            problems.append((f"{LIFECYCLE}#{name}", "is missing"))
        elif _shape(found) != _shape(expected):
            problems.append((f"{LIFECYCLE}#{name}", f"has type {found} instead of {expected}"))
    return problems


def import_problems(imports: dict[str, Interface]) -> list[tuple[str, str]]:
    """Every import that this runtime does not provide, or provides with another type."""
    problems = []
    for name, interface in imports.items():
        if name.startswith(WASI_PREFIX) or not interface.functions:
            continue
        provided = IMPORTS.get(name)
        for function, kind in interface.functions.items():
            shown = f"{name}#{function}" if function else name
            if provided is None or function not in provided:
                problems.append((shown, "is not provided by the host"))
            elif _shape(kind) != _shape(provided[function]):
                problems.append((shown, f"has type {kind} instead of {provided[function]}"))
    return problems


def _shape(kind: FuncType) -> tuple[object, ...]:
    """A function's type without its parameters' names, which do not matter to a caller."""
    return (tuple(of for _, of in kind.params), kind.result)
