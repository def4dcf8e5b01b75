"""A component that has been checked and compiled: what loading it, and inspecting it, starts from."""

import functools
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final, final

import attrs
from wasmtime.component import Component

from airssys_wasm.core.calls import Given
from airssys_wasm.core.errors import ConfigError, ExportNotFound, InvalidComponent
from airssys_wasm.core.limits import BYTE_PATH_MAX_PAYLOAD_BYTES, VALUE_PATH_MAX_PAYLOAD_BYTES, Limits
from airssys_wasm.runtime.abi import capi
from airssys_wasm.runtime.abi.append import DELIVER
from airssys_wasm.runtime.abi.codec import codec_for
from airssys_wasm.runtime.abi.component import ExportIndexes
from airssys_wasm.runtime.abi.frame import Frames, room_for
from airssys_wasm.runtime.abi.reader import Interface, World, export_names, import_names, world_of
from airssys_wasm.runtime.abi.types import FuncType
from airssys_wasm.runtime.abi.values import Codec
from airssys_wasm.runtime.conduct import Conduct
from airssys_wasm.runtime.contract import COMPONENT_ID, EXPORTS, IMPORTS, LIFECYCLE, PACKAGE, VERSION
from airssys_wasm.runtime.functions import Signatures
from airssys_wasm.runtime.machine import Machine, Profile

if TYPE_CHECKING:
    from airssys_wasm.runtime.linkage import Linkage

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
@attrs.frozen(eq=False, slots=False)
class Build:
    """A component as one machine compiled it, its contract exports found."""

    machine: Machine
    component: Component
    exports: ExportIndexes
    imports: tuple[str, ...]
    """Names of what it imports."""
    frames: Frames | None
    """Of one that was extended for the byte path."""

    @classmethod
    def of(cls, machine: Machine, component: Component, frames: Frames | None = None) -> "Build":
        """Find the exports of a component: those of the contract if it has any, and its own when they are called."""
        exports = ExportIndexes(component, export_names(component, machine.engine))
        if LIFECYCLE in exports.names:
            for name in EXPORTS:
                exports.find(LIFECYCLE, name)
        if frames is not None:
            exports.find(DELIVER)
        return cls(machine, component, exports, tuple(import_names(component, machine.engine)), frames)

    @functools.cached_property
    def world(self) -> World:
        """Its types, but for those that it imports from WASI; read when they are first asked for."""
        return own_world(self.machine, self.component)

    @functools.cached_property
    def address(self) -> int:
        """Where wasmtime has the component."""
        return capi.address(self.component.ptr())

    @functools.cached_property
    def has_own_types(self) -> bool:
        """Whether it imports or exports more than the contract and WASI."""
        return any(map(is_foreign, self.imports)) or not self.exports.names <= {LIFECYCLE, DELIVER}

    @functools.cached_property
    def exports_resources(self) -> bool:
        """Whether its functions may take and answer handles; the contract's do not."""
        return bool(self.exports.names - {LIFECYCLE, DELIVER}) and self.world.exports_resources

    def frames_for(self, limits: Limits) -> Frames | None:
        """What makes the frames of the byte path; None for the value path."""
        return self.frames if self.frames and room_for(limits) <= limits.share_bytes else None

    def check_payload_limit(self, limits: Limits) -> None:
        """Refuse payloads that could not cross; raises ConfigError."""
        most, way = VALUE_PATH_MAX_PAYLOAD_BYTES, "component values carry"
        if self.frames_for(limits):
            most, way = BYTE_PATH_MAX_PAYLOAD_BYTES, "crosses as one block"
        if limits.max_payload_bytes > most:
            raise ConfigError("max_payload_bytes", limits.max_payload_bytes, f"is over {most}, the most that {way}")


@final
@attrs.define(eq=False)
class Learned:
    """What all loads of the same binary share."""

    signatures: Signatures | None = None


@final
@attrs.define(eq=False)
class CompiledComponent:
    """A component ready to be loaded any number of times; made by `ActorSystem.compile`.

    `source` names it in errors, `digest` is the SHA-256 of its binary in hexadecimal.
    """

    source: str
    digest: str
    read: Callable[[], bytes] = attrs.field(repr=False)
    """Its binary, when it has to be compiled; raises InvalidComponent when its file is not what it was."""
    wasi: bool = False
    conduct: Conduct = attrs.field(factory=Conduct, repr=False)
    builds: dict[Profile, Build] = attrs.field(factory=dict, repr=False)
    """By the kind of engine; of the one that used it last."""
    learned: Learned = attrs.field(factory=Learned, repr=False)
    answers_messages: bool = True
    """Whether it exports the contract, so that it can be asked and told."""
    given: Given = attrs.field(factory=Given, repr=False)
    linkage: "Linkage | None" = attrs.field(default=None, repr=False)
    """Host objects for its imports; None where it has what the contract gives."""

    @property
    def signatures(self) -> Signatures:
        """All that it exports and imports, and the codecs for it; made when they are first asked for."""
        learned = self.learned
        if learned.signatures is None:
            learned.signatures = Signatures(next(iter(self.builds.values())).world)
        return learned.signatures.with_classes(self.given.types)


def is_foreign(interface: str) -> bool:
    """Whether an interface is neither the contract's nor wasmtime's."""
    return not interface.startswith((f"{PACKAGE}/", WASI_PREFIX))


def require_contract(compiled: CompiledComponent) -> None:
    """Refuse a component that cannot be asked and told; raises ExportNotFound."""
    if not compiled.answers_messages:
        raise ExportNotFound(compiled.source, f"{LIFECYCLE}#{next(iter(EXPORTS))}")


def own_world(machine: Machine, component: Component) -> World:
    """All that a component exports, and what it imports that is not WASI's."""
    world = world_of(component, machine.engine, lambda name: not name.startswith(WASI_PREFIX))
    world.exports.pop(DELIVER, None)  # the byte path's own
    return world


def fits(world: World, source: str) -> None:
    """Check a component against the contract; one that exports only functions of its own need not export that.

    Raises:
        ExportNotFound: The first export that is missing, or of another type.
        InvalidComponent: An import of the contract has another type. wasmtime does not compare the types of host
            functions, and arguments of another type must never be lifted.
    """
    problems = [] if speaks_for_itself(world.exports) else export_problems(world.exports)
    if problems:
        name, problem = problems[0]
        raise ExportNotFound(source, name, problem)
    for name, problem in _mistyped(world.imports):
        raise InvalidComponent(source, f"import {name} {problem}")


def speaks_for_itself(exports: dict[str, Interface]) -> bool:
    """Whether it has nothing to do with the contract, and functions of its own to be called."""
    lifecycle = LIFECYCLE.partition("@")[0]  # also of a version that is not this one
    return any(i.functions for i in exports.values()) and not any(
        name.partition("@")[0] == lifecycle for name in exports
    )


def uses_wasi(machine: Machine, component: Component) -> bool:
    """Whether the component imports anything of WASI."""
    return any(name.startswith(WASI_PREFIX) for name in import_names(component, machine.engine))


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
    missing = [
        (f"{name}#{function}" if function else name, "is not provided by the host")
        for name, interface in imports.items()
        for function in interface.functions
        if not name.startswith(WASI_PREFIX) and function not in _provided(name)
    ]
    return [*missing, *_mistyped(imports)]


def _mistyped(imports: dict[str, Interface]) -> Iterator[tuple[str, str]]:
    """Every import that would be linked to a host function of another type."""
    for name, interface in imports.items():
        provided = _provided(name)
        for function, kind in interface.functions.items():
            expected = provided.get(function)
            if expected is not None and _shape(kind) != _shape(expected):
                yield f"{name}#{function}", f"has type {kind} instead of {expected}"


def _provided(interface: str) -> dict[str, FuncType]:
    """The host functions that wasmtime links to an interface: any version 1.x.y is taken for 1.0.0."""
    name, _, version = interface.partition("@")
    return IMPORTS.get(f"{name}@{VERSION}", {}) if version.partition(".")[0] == "1" else {}


def _shape(kind: FuncType) -> tuple[object, ...]:
    """A function's type without its parameters' names, which do not matter to a caller."""
    return (tuple(of for _, of in kind.params), kind.result)
