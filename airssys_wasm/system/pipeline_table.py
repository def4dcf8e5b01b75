"""Reading one TOML table without stopping at the first mistake (pure)."""

import difflib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any, Final, TypeVar, final

import attrs

from airssys_wasm.core.config import one_of
from airssys_wasm.core.errors import ConfigError
from airssys_wasm.core.problems import Problem

Value = TypeVar("Value", str, int, list[Any], dict[str, Any])
Choice = TypeVar("Choice", bound=StrEnum)
Built = TypeVar("Built")

_TYPE_NAMES: Final[Mapping[type, str]] = {
    str: "a string",
    int: "a whole number",
    float: "a number",
    bool: "a boolean",
    list: "an array",
    dict: "a table",
}


@final
@attrs.define(eq=False)
class Table:
    """A table whose keys are taken one by one; what is wrong is noted, and what nobody took is unknown.

    A key that is wrong or missing gives its default, so that the reader can go on to the next mistake.
    """

    file: str
    name: str
    values: Mapping[str, Any] = attrs.field(repr=False)
    problems: list[Problem] = attrs.field(factory=list, repr=False)
    _known: list[str] = attrs.field(factory=list, init=False, repr=False)

    def note(self, key: str, text: str) -> None:
        """Write down one problem of this table."""
        self.problems.append(Problem(self.file, self.name, key, text))

    def take(self, key: str, default: Value, *, required: bool = False) -> Value:
        """A value of the default's type."""
        self._known.append(key)
        if key not in self.values:
            if required:
                self.note(key, "is missing")
            return default
        value = self.values[key]
        if type(value) is not type(default):
            self.note(key, f"is {type_name(type(value))}, not {type_name(type(default))}")
            return default
        return value

    def text(self, key: str) -> str:
        """A string that has to be there and has to say something; empty when it is wrong."""
        value = self.take(key, "", required=True)
        if self.values.get(key) == "":
            self.note(key, "is empty")
        return value

    def count(self, key: str, default: int) -> int:
        """A whole number of at least 1."""
        value = self.take(key, default)
        if value < 1:
            self.note(key, f"is not positive: {value}")
            return default
        return value

    def seconds(self, key: str, default: float) -> float:
        """A number of seconds, whole or not: positive and finite."""
        self._known.append(key)
        value = self.values.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.note(key, f"is {type_name(type(value))}, not a number")
            return default
        if not 0 < value < math.inf:
            self.note(key, f"is not positive and finite: {value}")
            return default
        return float(value)

    def choice(self, key: str, default: Choice, *, required: bool = False) -> Choice:
        """One of the words of an enumeration."""
        word = self.take(key, "", required=required)
        if not isinstance(self.values.get(key), str):
            return default
        return self.built(lambda: one_of(type(default), key, word), default)

    def built(self, make: Callable[[], Built], default: Built) -> Built:
        """What `make` builds; a ConfigError of it becomes a problem of this table."""
        try:
            return make()
        except ConfigError as exc:
            self._refused(exc)
            return default

    def checked(self, keys: Sequence[str], check: Callable[[str, Any], object]) -> dict[str, Any]:
        """Those of the keys that are there and that `check` does not refuse with a ConfigError."""
        self._known.extend(keys)
        good = {}
        for key in [key for key in keys if key in self.values]:
            try:
                check(key, self.values[key])
            except ConfigError as exc:
                self._refused(exc)
            else:
                good[key] = self.values[key]
        return good

    def table(self, key: str) -> "Table":
        """A table inside this one, empty when there is none."""
        return self._inside(self.take(key, {}), f"{self.name} [{key}]")

    def tables(self, key: str, label: str, *, required: bool = False) -> Iterator["Table"]:
        """Each table of an array of tables, named by its key `label` or, without one, by its number."""
        above = f"{self.name} " if self.name else ""
        for number, entry in enumerate(self.take(key, [], required=required), start=1):
            if not isinstance(entry, dict):
                self.note(key, f"is an array of {type_name(type(entry)).partition(' ')[2]}s; write [[{key}]] tables")
                return
            called = entry.get(label)
            name = called if called and isinstance(called, str) else f"#{number}"
            yield self._inside(entry, f"{above}[[{key}]] {name}")

    def finish(self) -> None:
        """Note each key that nobody took, with the closest one that is known."""
        for key in self.values:
            if key not in self._known:
                close = difflib.get_close_matches(key, self._known, n=1)
                known = f'did you mean "{close[0]}"?' if close else f"known are {', '.join(self._known)}"
                self.note(key, f"is unknown; {known}")

    def _refused(self, error: ConfigError) -> None:
        self.note(error.field, str(error).removeprefix(f"{error.field} "))

    def _inside(self, values: Mapping[str, Any], name: str) -> "Table":
        return Table(self.file, name, values, self.problems)


def type_name(kind: type) -> str:
    """A TOML type as its users call it."""
    return _TYPE_NAMES.get(kind, "a date or time")
