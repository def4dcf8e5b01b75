"""What a component may be granted, and the patterns that say whom it concerns (pure)."""

from collections.abc import Iterable, Mapping
from typing import Final, Literal, final

import attrs

from airssys_wasm.core.errors import ConfigError

MessageAction = Literal["send", "request", "broadcast"]
StorageAction = Literal["read", "write"]
Action = MessageAction | Literal["storage.read", "storage.write"]

STORAGE_ACTIONS: Final = ("read", "write")
ACTIONS: Final[tuple[Action, ...]] = ("send", "request", "broadcast", "storage.read", "storage.write")

_ANYTHING: Final = "*"
_BELOW: Final = "/*"
_ENDING: Final = "*."


def _pattern_problem(text: object) -> str | None:
    """Say what is wrong with a pattern; None when it is fine."""
    if not isinstance(text, str):
        return f"is {type(text).__name__}, not str"
    if not text:
        return "is empty"
    stem = text
    if len(text) > len(_BELOW) and text.endswith(_BELOW):
        stem = text.removesuffix(_BELOW)
    elif len(text) > len(_ENDING) and text.startswith(_ENDING):
        stem = text.removeprefix(_ENDING)
    if text != _ANYTHING and "*" in stem:
        return 'has a * which is not all of it, not "/*" at its end and not "*." at its start'
    return None


def check_pattern(field: str, text: str) -> str:
    """Take a pattern as it is.

    Raises:
        ConfigError: It is none; the error names the field.
    """
    problem = _pattern_problem(text)
    if problem:
        raise ConfigError(field, text, problem)
    return text


def _checked(text: str) -> str:
    return check_pattern("pattern", text)


@final
@attrs.frozen(repr=False)
class Pattern:
    """Whom a grant concerns, matched against a printed id.

    | pattern | matches |
    |---|---|
    | `*` | everything |
    | `a/b/*` | everything strictly below `a/b/`: not `a/bc/0`, not `a/b` |
    | `*.suffix` | what ends in `.suffix` and has something before it |
    | any other text | only itself |

    Raises:
        ConfigError: There is a `*` in any other place, or the pattern is empty or no str.
    """

    text: str = attrs.field(converter=_checked)
    _head: str = attrs.field(init=False, eq=False)
    _tail: str = attrs.field(init=False, eq=False)
    _longer_than: int = attrs.field(init=False, eq=False)

    @_head.default
    def _prefix(self) -> str:
        return self.text.removesuffix("*") if self.text.endswith(_BELOW) else ""

    @_tail.default
    def _suffix(self) -> str:
        return self.text.removeprefix("*") if self.text.startswith(_ENDING) else ""

    @_longer_than.default
    def _fixed_chars(self) -> int:
        return -1 if self.text == _ANYTHING else len(self._head) + len(self._tail)

    def matches(self, text: str) -> bool:
        """Whether the pattern means this printed id."""
        if not self._longer_than:
            return text == self.text
        return len(text) > self._longer_than and text.startswith(self._head) and text.endswith(self._tail)

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"Pattern({self.text!r})"


def _items(field: str, values: Iterable[str]) -> tuple[str, ...]:
    """Take a list of str as a tuple; a set in the order of the alphabet, so that equal sets give equal tuples."""
    if isinstance(values, str):
        raise ConfigError(field, values, f"is a bare str, where a list belongs; write [{values!r}]")
    if isinstance(values, bytes | bytearray | memoryview):
        raise ConfigError(field, bytes(values), f'is {type(values).__name__}, where a list belongs; write ["a/b/*"]')
    if isinstance(values, Mapping) or not isinstance(values, Iterable):
        raise ConfigError(field, values, f'is {type(values).__name__}, where a list belongs; write ["a/b/*"] or []')
    items = tuple(values)
    for item in items:
        if not isinstance(item, str):
            raise ConfigError(field, item, "has an item that is not a str")
    return tuple(sorted(items)) if isinstance(values, set | frozenset) else items


def _patterns(field: str, values: Iterable[str]) -> tuple[str, ...]:
    return tuple(check_pattern(field, item) for item in _items(field, values))


def _storage_actions(values: Iterable[str]) -> tuple[str, ...]:
    items = _items("storage", values)
    for item in items:
        if item not in STORAGE_ACTIONS:
            raise ConfigError("storage", item, 'is neither "read" nor "write"')
    return items


@final
@attrs.frozen(init=False)
class Capabilities:
    """What a component may do; everything that is not listed is denied.

    | field | lists | permits |
    |---|---|---|
    | send | patterns of targets | send, request and broadcast to them |
    | request | patterns of targets | request to them, nothing else |
    | broadcast | patterns of targets | broadcast to them, nothing else |
    | receive_from | patterns of senders | their messages to this component; answers and host code need none |
    | storage | "read", "write" | get, exists, list-keys and usage; set and delete |
    | wasi | None | nothing |

    Any iterable of str is accepted and kept as a tuple.

    Raises:
        ConfigError: A field is a bare str or no list, a pattern or a storage action is not one, or wasi is not None.
    """

    send: tuple[str, ...]
    request: tuple[str, ...]
    broadcast: tuple[str, ...]
    receive_from: tuple[str, ...]
    storage: tuple[str, ...]
    wasi: None
    _targets: dict[str, tuple[Pattern, ...]] = attrs.field(init=False, eq=False, repr=False)
    _senders: tuple[Pattern, ...] = attrs.field(init=False, eq=False, repr=False)

    def __init__(  # noqa: PLR0917 - fields of a value, in the order of the table
        self,
        send: Iterable[str] = (),
        request: Iterable[str] = (),
        broadcast: Iterable[str] = (),
        receive_from: Iterable[str] = (_ANYTHING,),
        storage: Iterable[str] = (),
        wasi: None = None,
    ) -> None:
        if wasi is not None:
            raise ConfigError("wasi", wasi, "is not None; no WASI capability can be granted")
        self.__attrs_init__(
            send=_patterns("send", send),
            request=_patterns("request", request),
            broadcast=_patterns("broadcast", broadcast),
            receive_from=_patterns("receive_from", receive_from),
            storage=_storage_actions(storage),
            wasi=None,
        )

    @_targets.default
    def _compile_targets(self) -> dict[str, tuple[Pattern, ...]]:
        send = tuple(map(Pattern, self.send))
        return {
            "send": send,
            "request": send + tuple(map(Pattern, self.request)),
            "broadcast": send + tuple(map(Pattern, self.broadcast)),
        }

    @_senders.default
    def _compile_senders(self) -> tuple[Pattern, ...]:
        return tuple(map(Pattern, self.receive_from))

    def permits(self, action: Action, resource: str) -> str | None:
        """Find what permits an action.

        Args:
            action: what is to be done.
            resource: the printed id of the target; storage actions do not look at it.

        Returns:
            The first pattern that matches, or the storage action; None when nothing permits it.
        """
        if action in self._targets:
            return _first_match(self._targets[action], resource)
        return action if any(action == f"storage.{item}" for item in self.storage) else None

    def admits(self, sender: str) -> str | None:
        """Find the pattern of `receive_from` that lets messages of a sender in; None when there is none."""
        return _first_match(self._senders, sender)


def _first_match(patterns: tuple[Pattern, ...], text: str) -> str | None:
    for pattern in patterns:
        if pattern.matches(text):
            return pattern.text
    return None
