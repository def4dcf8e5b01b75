"""Who is meant: component ids and handles (pure)."""

import unicodedata
from typing import Final, Self

import attrs

from airssys_wasm.core.errors import InvalidId

HOST_NAMESPACE: Final = "host"
"""The namespace of host code; `load` refuses it, so that no guest can pose as the host."""

MAX_PART_CHARS: Final = 255
"""Longest part of an id, as for a file name (POSIX NAME_MAX), since ids become paths in a component directory."""


def _check_part(_instance: "ComponentId", attribute: "attrs.Attribute[str]", value: object) -> None:
    problem = _part_problem(value)
    if problem:
        raise InvalidId(attribute.name, value, problem)


def _part_problem(value: object) -> str | None:
    """Say what is wrong with one part of an id; None when it is fine."""
    if not isinstance(value, str):
        return f"is {type(value).__name__}, not str"
    if not value:
        return "is empty"
    if len(value) > MAX_PART_CHARS:
        return f"is longer than {MAX_PART_CHARS} characters"
    if value in {".", ".."}:
        return "is a directory reference"
    for character in value:
        if character in "/*" or unicodedata.category(character) in {"Cc", "Cs"}:
            return f"contains {character!r}"
    return None


@attrs.frozen(cache_hash=True, order=True, repr=False)
class ComponentId:
    """The address of a component: three parts, printed `namespace/name/instance`.

    Raises:
        InvalidId: A part is not a non-empty str, is `.` or `..`, is longer than 255 characters, or contains `/`, `*`,
            a control character or a lone surrogate.
    """

    namespace: str = attrs.field(validator=_check_part)
    name: str = attrs.field(validator=_check_part)
    instance: str = attrs.field(validator=_check_part)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the printed form back.

        Raises:
            InvalidId: There are not exactly three parts, or one of them is not allowed.
        """
        parts = text.split("/")
        if len(parts) != 3:  # noqa: PLR2004 - namespace, name and instance
            raise InvalidId("id", text, "is not of the form namespace/name/instance")
        return cls(*parts)

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}/{self.instance}"

    def __repr__(self) -> str:
        return f"ComponentId({self.namespace!r}, {self.name!r}, {self.instance!r})"


@attrs.frozen(cache_hash=True)
class ComponentHandle:
    """One loaded component as a `RuntimeEngine` knows it: its id and a number that is never used again."""

    id: ComponentId
    handle_id: int

    def __str__(self) -> str:
        return f"{self.id}#{self.handle_id}"
