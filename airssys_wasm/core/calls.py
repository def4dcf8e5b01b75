"""Typed calls as values: what is called, results as values, and what can be wrong with a call (pure).

| error | of | also | means |
|---|---|---|---|
| CallRefused | AirssysError | | the guest never ran: what follows |
| BadValue | CallRefused | ValueError | a Python value does not fit its WIT type; the text begins with its place |
| BadType | BadValue | TypeError | it is of another Python type altogether |
| FunctionNotFound | CallRefused | LookupError | the component exports no such function |
| ImportsUnfit | InstantiationFailed | | what the host gives does not fit what the component imports |
| CallError | GuestError | | a function answered err, or host code wants to: its value |
"""

import reprlib
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar, final

import attrs

from airssys_wasm.core.errors import AirssysError, ConfigError, GuestError, InstantiationFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from types import ModuleType

MAX_SHOWN_CHARS: Final = 200
"""Of a value in an error text."""


class CallRefused(AirssysError):
    """A call that never reached the guest, by the caller's mistake."""


class BadValue(CallRefused, ValueError):
    """A Python value that does not fit its WIT type; `path` leads to it."""

    def __init__(self, problem: str, path: str = "") -> None:
        super().__init__(f"{path.lstrip('.')}: {problem}" if path else problem)
        self.problem, self.path = problem, path

    def inside(self, step: str) -> Self:
        """The same, seen from one level further out."""
        return type(self)(self.problem, step + self.path)


class BadType(BadValue, TypeError):
    """A Python value of a type that no value of its WIT type has."""


class FunctionNotFound(CallRefused, LookupError):
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


_WEIGHED_AT_ONCE: Final = 500
"""Items that are counted in half a millisecond, with a record's fields."""

_DEEPEST: Final = 200
"""Lists in lists that are looked into; no WIT type has so many, but a list may be in itself."""

DROPPING: Final = "[resource-drop]"
"""How the name of the function begins that drops a resource of the component's, as guests' toolchains call theirs."""


@final
@attrs.define(eq=False, repr=False)
class Invocation:
    """A call of one of a component's own functions, by its WIT or its Python name; not to be changed.

    `caller` is how methods of resources that it answers are called.
    """

    interface: str
    function: str
    arguments: "tuple[Any, ...]"
    keywords: "Mapping[str, Any]"
    caller: "Callable[..., Any] | None" = None
    _size: int = attrs.field(default=0, init=False)
    _left: "list[Iterator[Any]]" = attrs.field(init=False)
    """What has not been counted, the innermost last."""

    def __attrs_post_init__(self) -> None:
        self._left = [iter(self.keywords.values())] if self.keywords else []
        self._left.append(iter(self.arguments))

    @property
    def drops(self) -> bool:
        """Whether it drops a resource."""
        return self.function.startswith(DROPPING)

    @property
    def size(self) -> int:
        """About how large the arguments are: bytes of the text and bytes, and one for each item; counted once."""
        while self._left:
            self.weigh()
        return self._size

    def weigh(self) -> bool:
        """Count for half a millisecond at the most; whether all has been counted.

        Only a call with very many items takes longer, and whoever asks for its `size` right away.
        """
        left, most = self._left, _WEIGHED_AT_ONCE
        while left and most > 0:
            for value in left[-1]:
                most -= 1
                kind = type(value)
                if kind is str or isinstance(value, _BLOCKS):  # the first for speed: most are
                    self._size += len(value)
                elif kind in _WEIGHTLESS:
                    pass
                elif (inside := _inside(value)) and len(left) < _DEEPEST:
                    left.append(iter(inside))
                    self._size += len(inside)
                    break
                if most <= 0:
                    break
            else:
                left.pop()
        return not left


_BLOCKS: Final = (str, bytes, bytearray, memoryview)
_WEIGHTLESS: Final = {int, float, bool, type(None)}


def _inside(value: Any) -> "Sequence[Any]":
    """The values inside a value."""
    if isinstance(value, list | tuple):
        return value
    if isinstance(value, dict):
        return list(value.values())
    if isinstance(value, Ok | Err | Some):
        return (value.value,)
    fields = getattr(value, "__dataclass_fields__", ())
    return [getattr(value, name, None) for name in fields]


@final
@attrs.frozen(eq=False)
class Given:
    """What host code gives a component: objects for its imports by interface, and a module with classes for values."""

    imports: "Mapping[str, object]" = attrs.field(factory=dict)
    types: "ModuleType | None" = None

    @classmethod
    def of(cls, imports: "Mapping[str, object] | None", types: "ModuleType | None") -> "Given":
        """What callers pass; where that is nothing, the same object each time."""
        return NOTHING if imports is None and types is None else cls({} if imports is None else imports, types)

    @imports.validator
    def _check_imports(self, _attribute: object, value: object) -> None:
        if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
            raise ConfigError("imports", value, "is not a dict of objects by the names of interfaces")


NOTHING: Final = Given()

F = TypeVar("F", bound="Callable[..., Any]")

_BLOCKING: Final = "__airssys_blocking__"


def blocking(function: F) -> F:
    """Mark a plain function that a component imports: it may block, so it runs in a thread of its own.

    The thread is a daemon. One that outlives its call is abandoned, not waited for, and counted in the statistics.
    """
    setattr(function, _BLOCKING, True)
    return function


def is_blocking(function: object) -> bool:
    """Whether a function is marked as one that may block."""
    return getattr(function, _BLOCKING, False) is True
