"""What wasmtime's errors mean: the one table from its texts to our exceptions (pure).

Component calls give no trap codes over the C API, only text: the guest's backtrace, then the cause. What the runtime
knows by itself (its deadline, its cancel, a host function that raised) is decided before this table is asked.
"""

from typing import Final

from airssys_wasm.core.errors import ExecutionError, FuelExhausted, InstantiationFailed, Trap
from airssys_wasm.core.limits import KIB

TRAP_TEXTS: Final = (
    ("all fuel consumed by WebAssembly", "fuel"),
    ("wasm trap: interrupt", "interrupt"),
    ("call stack exhausted", "stack-overflow"),
    ("out of bounds memory access", "memory-out-of-bounds"),
    ("out of bounds table access", "table-out-of-bounds"),
    ("undefined element", "table-out-of-bounds"),
    ("uninitialized element", "indirect-call-to-null"),
    ("indirect call type mismatch", "bad-signature"),
    ("integer divide by zero", "integer-division-by-zero"),
    ("integer overflow", "integer-overflow"),
    ("invalid conversion to integer", "bad-conversion-to-integer"),
    ("wasm `unreachable` instruction executed", "unreachable"),
    ("cannot enter component instance", "spent"),
    ("cannot leave component instance", "cannot-leave"),
    ("too much data is being copied", "copy-limit"),
    ("not aligned", "invalid-answer"),
    ("out of bounds of memory", "invalid-answer"),
    ("invalid utf-8", "invalid-answer"),
    ("discriminant", "invalid-answer"),
    ("out of range for `char`", "invalid-answer"),
    ("realloc return", "invalid-answer"),
)
"""A piece of wasmtime's text, and the code of the trap; the first that fits the cause decides."""

OTHER: Final = "trap"
"""The code of what no row fits."""

MAX_BACKTRACE_CHARS: Final = 16 * KIB
"""A guest names its functions, each by up to a hundred thousand characters, and events keep their backtraces."""


def trap_from(text: str) -> ExecutionError:
    """Translate the error of a guest call."""
    cause, backtrace = split(text)
    code = next((code for piece, code in TRAP_TEXTS if piece in cause), OTHER)
    if code == "fuel":
        return FuelExhausted(cause, backtrace)
    return Trap(cause, code, backtrace)


def instantiation_error(text: str) -> InstantiationFailed:
    """Translate the error of an instantiation: an import nobody provides, a limit, or a trap in a start function."""
    cause, backtrace = split(text)
    error = InstantiationFailed(f"{cause} (Limits.max_memories)" if "memory count too high" in cause else cause)
    if backtrace:
        error.__cause__ = trap_from(text)
    return error


def split(text: str) -> tuple[str, str | None]:
    """The cause in one line, and the guest's backtrace if there is one.

    wasmtime prints the outermost context first and below "Caused by:" what lies behind it, the root last.
    """
    head, _, causes = text.rpartition("Caused by:")  # the last: a guest's function may be named like the first
    if not head:
        head, causes = causes, ""
    lines = [line.strip() for line in (causes or head).splitlines() if line.strip()]
    backtrace = head.strip()[:MAX_BACKTRACE_CHARS] if "wasm backtrace" in head else None
    if backtrace is None and causes:
        lines.insert(0, head.strip())
    return ": ".join(_unnumbered(line) for line in lines) or "no text", backtrace


def _unnumbered(line: str) -> str:
    """Drop the number that wasmtime puts before each cause when there are several."""
    number, colon, rest = line.partition(": ")
    return rest if colon and number.isdigit() else line
