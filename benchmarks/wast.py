"""Runs the commands of a converted `.wast` file on this runtime: each passes, fails, or does not fit."""

import re
from pathlib import Path
from typing import Any, Final, final

import attrs

from airssys_wasm.core.calls import Given, Invocation
from airssys_wasm.core.errors import (
    AirssysError,
    ExecutionError,
    ExportNotFound,
    InstantiationFailed,
    InvalidComponent,
    Trap,
)
from airssys_wasm.core.ids import ComponentId
from airssys_wasm.core.limits import MIB, Limits
from airssys_wasm.core.ports import HostState
from airssys_wasm.runtime.compiled import CompiledComponent
from airssys_wasm.runtime.engine import WasmtimeEngine
from airssys_wasm.runtime.store import GuestStore
from benchmarks.wast_host import Linked, host
from benchmarks.wast_values import matches, value_of

_MEMORIES: Final = 16
LIMITS: Final = Limits(max_execution_time=10.0, max_memory_bytes=_MEMORIES * 4096 * MIB, max_memories=_MEMORIES)
TEST: Final = ComponentId("test", "component", "0")

_REASONS: Final = (
    ("error-context", "error-context"),
    ("threading feature", "threads"),
    ("cm-implements", "`implements` in names"),
    ("[Ff]ixed-length lists", "fixed-length lists"),
    ("component model map feature", "maps"),
    ("cm-gc", "garbage-collected values"),
    ("cm64", "64-bit memories"),
    ("async feature", "async: future, stream, task and waitable"),
    ("is a core module", "a core module, no component"),
)
"""What a refusal names, and what of the component model this runtime leaves switched off."""


class Misfit(Exception):
    """Why something cannot be tried."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@attrs.frozen
class Outcome:
    """Of one command: `verdict` is passed, failed or does not fit; `why` for the latter two."""

    file: str
    line: int
    command: str
    verdict: str
    why: str = ""


@final
@attrs.frozen
class Made:
    """A component and its instance."""

    compiled: CompiledComponent
    guest: GuestStore

    async def invoke(self, action: dict[str, Any]) -> Any:
        """Call one of its functions."""
        types = [of for _, of in self.compiled.signatures.functions.find("", action["field"]).kind.params]
        arguments = tuple(value_of(item, of) for item, of in zip(action["args"], types, strict=True))
        return await self.guest.call(Invocation("", action["field"], arguments, {}))


@final
@attrs.define(eq=False)
class Script:
    """One file: the components it has made so far, and the last one, which its invocations are for."""

    name: str
    directory: Path
    engine: WasmtimeEngine
    made: dict[str, Made] = attrs.field(factory=dict)
    definitions: dict[str, str] = attrs.field(factory=dict)
    last: Made | Misfit = attrs.field(factory=lambda: Misfit("nothing was made"))
    imports: dict[str, object] = attrs.field(factory=host)
    opened: list[GuestStore] = attrs.field(factory=list)

    async def run(self, commands: list[dict[str, Any]]) -> list[Outcome]:
        """Run all commands, each whatever became of the others."""
        try:
            return [await self._outcome(command) for command in commands]
        finally:
            for guest in reversed(self.opened):
                await guest.aclose()

    async def _outcome(self, command: dict[str, Any]) -> Outcome:
        kind = command["type"]
        verdict, why = "passed", ""
        try:
            await getattr(self, f"_{kind}", self._unknown)(command)
        except Misfit as exc:
            verdict, why = "does not fit", exc.reason
        except (AssertionError, AirssysError, LookupError) as exc:
            verdict, why = "failed", f"{type(exc).__name__}: {exc}"
        return Outcome(self.name, command["line"], kind, verdict, why)

    async def _unknown(self, command: dict[str, Any]) -> None:
        raise Misfit(f"the command {command['type']}")

    async def _module(self, command: dict[str, Any]) -> None:
        await self._become(command["filename"], command.get("name"))

    async def _module_definition(self, command: dict[str, Any]) -> None:
        self.definitions[command.get("name", "")] = command["filename"]
        await self._compiled(command["filename"])

    async def _module_instance(self, command: dict[str, Any]) -> None:
        await self._become(self.definitions[command.get("module", "")], command.get("instance"))

    async def _become(self, file: str, name: str | None) -> None:
        self.last = Misfit("its component was not made")
        try:
            self.last = made = await self._started(file)
        except Misfit as exc:
            self.last = exc
            raise
        if name is not None:
            self.made[name] = made
            self.imports[name] = Linked(made.guest)

    async def _compiled(self, file: str) -> CompiledComponent:
        if file.endswith(".wat"):
            raise Misfit("the text format, which wasm-tools reads")
        data = (self.directory / file).read_bytes()
        try:
            return await self.engine.compile(data, LIMITS)
        except ExportNotFound:
            raise Misfit("no function among its exports: only compiled") from None
        except InvalidComponent as exc:
            raise _misfit(str(exc)) or exc from None

    async def _started(self, file: str) -> Made:
        compiled = await self._compiled(file)
        try:
            return await self._linked(compiled)
        except InstantiationFailed as exc:
            raise _unlinked(str(exc)) or exc from None

    async def _linked(self, compiled: CompiledComponent) -> Made:
        bound = await self.engine.bind(compiled, Given(dict(self.imports)))
        guest = await self.engine.start(bound, HostState(TEST, LIMITS))
        self.opened.append(guest)
        return Made(bound, guest)

    async def _action(self, command: dict[str, Any]) -> None:
        await self._invoke(command["action"])

    async def _assert_return(self, command: dict[str, Any]) -> None:
        expected, answer = command["expected"], await self._invoke(command["action"])
        if expected:
            assert matches(expected[0], answer), f"{answer!r} is not {expected[0]}"
        else:
            assert answer is None, f"{answer!r} where nothing is expected"

    async def _assert_trap(self, command: dict[str, Any]) -> None:
        try:
            answer = await self._invoke(command["action"])
        except ExecutionError as exc:
            _says(exc, command["text"])
            return
        raise AssertionError(f"{answer!r} instead of a trap: {command['text']}")

    async def _assert_uninstantiable(self, command: dict[str, Any]) -> None:
        compiled = await self._compiled(command["filename"])
        try:
            await self._linked(compiled)
        except InstantiationFailed as exc:
            _says(exc, command["text"])
            return
        raise AssertionError(f"it was made instead of: {command['text']}")

    async def _assert_unlinkable(self, command: dict[str, Any]) -> None:
        compiled = await self._compiled(command["filename"])
        try:
            await self._linked(compiled)
        except InstantiationFailed:
            return
        raise AssertionError(f"it was linked instead of: {command['text']}")

    async def _assert_invalid(self, command: dict[str, Any]) -> None:
        file = command["filename"]
        if file.endswith(".wat"):
            raise Misfit("the text format, which wasm-tools reads")
        try:
            await self.engine.compile((self.directory / file).read_bytes(), LIMITS)
        except ExportNotFound:
            pass
        except InvalidComponent as exc:
            if command["text"] not in str(exc) and (misfit := _misfit(str(exc))):
                raise misfit from None
            return
        raise AssertionError(f"it was taken instead of: {command['text']}")

    _assert_malformed = _assert_invalid

    async def _invoke(self, action: dict[str, Any]) -> Any:
        name = action.get("module")
        made = self.last if name is None else self.made.get(name, Misfit("its component was not made"))
        if isinstance(made, Misfit):
            raise made
        return await made.invoke(action)


def _says(error: AirssysError, text: str) -> None:
    """Whether a trap is the one that is meant; an instance that is spent is so in words of this runtime."""
    spent = isinstance(error, Trap) and error.code == "spent" and text in "wasm trap: cannot enter component instance"
    said = f"{error} {error.__cause__ or ''}"
    assert spent or text in said, f"{said!r} instead of: {text}"


def _misfit(text: str) -> Misfit | None:
    """What a refusal to compile says of switches that are off; None where the component itself is refused."""
    reason = next((reason for pattern, reason in _REASONS if re.search(pattern, text)), None)
    return None if reason is None else Misfit(reason)


def _unlinked(text: str) -> Misfit | None:
    """An import that no Python object can stand for."""
    return Misfit("an import of a core module") if "module implementation is missing" in text else None
