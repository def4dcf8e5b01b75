"""Typed calls as values: what is called, results as values, and what can be wrong with a call (pure).

| error | of | also | means |
|---|---|---|---|
| BadValue | AirssysError | ValueError | a Python value does not fit its WIT type; the text begins with its place |
| BadType | BadValue | TypeError | it is of another Python type altogether |
| FunctionNotFound | AirssysError | LookupError | the component exports no such function |
| ImportsUnfit | InstantiationFailed | | what the host gives does not fit what the component imports |
| CallError | GuestError | | a function answered err, or host code wants to: its value |
"""

import reprlib
from typing import TYPE_CHECKING, Any, Final, Self, final

import attrs

from airssys_wasm.core.errors import AirssysError, GuestError, InstantiationFailed

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_SHOWN_CHARS: Final = 200
"""Of a value in an error text."""


class BadValue(AirssysError, ValueError):
    """A Python value that does not fit its WIT type; `path` leads to it."""

    def __init__(self, problem: str, path: str = "") -> None:
        super().__init__(f"{path.lstrip('.')}: {problem}" if path else problem)
        self.problem, self.path = problem, path

    def inside(self, step: str) -> Self:
        """The same, seen from one level further out."""
        return type(self)(self.problem, step + self.path)


class BadType(BadValue, TypeError):
    """A Python value of a type that no value of its WIT type has."""


class FunctionNotFound(AirssysError, LookupError):
    """The component exports no function of that name; `known` are those that it does."""

    def __init__(self, function: str, known: "Sequence[str]" = ()) -> None:
        shown = f"; it exports {', '.join(known)}" if known else ""
        super().__init__(f"the component exports no function {function}{shown}")
        self.function, self.known = function, tuple(known)


class ImportsUnfit(InstantiationFailed):
    """What the host gives does not fit what the component imports; `problems` is all that is wrong."""

    def __init__(self, source: str, problems: "Sequence[str]") -> None:
        super().__init__(f"{source}: " + "; ".join(problems))
        self.source, self.problems = source, tuple(problems)


class CallError(GuestError):
    """A function's err: raised by a typed call with the value that the guest answered, and by host code to answer one.

    `case` is the value's case where it is a variant or an enum, `text` what else there is to show of it.
    """

    def __init__(self, value: Any = None) -> None:
        case, text = _case_and_text(value)
        super().__init__(case, text)
        self.value = value


def _case_and_text(value: Any) -> tuple[str, str]:
    tag = getattr(value, "tag", None)
    if isinstance(tag, str):
        inner = getattr(value, "value", None)
        return tag, "" if inner is None else shown(inner)
    if isinstance(value, str):
        return ("err", shown(value)) if type(value) is str else (str(value), "")
    return "err", "" if value is None else shown(value)


def shown(value: Any) -> str:
    """A value in an error text, cut when it is long; a str as it is."""
    try:
        text = value if isinstance(value, str) else _repr.repr(value)
    except Exception:  # noqa: BLE001 - such as of an int with too many digits
        text = f"a {type(value).__name__}"
    return text if len(text) <= MAX_SHOWN_CHARS else f"{text[:MAX_SHOWN_CHARS]}… ({len(text)} characters)"


_repr: Final = reprlib.Repr()
_repr.maxstring = _repr.maxother = MAX_SHOWN_CHARS


@final
@attrs.frozen
class Ok:
    """The good half of a result."""

    value: Any = None


@final
@attrs.frozen
class Err:
    """The bad half of a result."""

    value: Any = None


@final
@attrs.frozen
class Some:
    """The value of an option of an option, so that `Some(None)` and `None` are two things."""

    value: Any = None
