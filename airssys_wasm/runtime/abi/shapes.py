r"""The Python classes of one component's records, variants, enums and flags (pure).

| WIT | class | made of |
|---|---|---|
| `record point {x: s32, first-name: string}` | `Point` | a frozen dataclass with `x` and `first_name` |
| `variant shape {circle(f64), none}` | `ShapeCircle`, `ShapeNone` | a frozen dataclass each: `tag`, `value` |
| `enum colour {deep-red}` | `Colour` | a StrEnum: `Colour.DEEP_RED == "deep-red"` |
| `flags may {read, write}` | `May` | a Flag: `May.READ \| May.WRITE` |

Classes are found by the type's content: two types of one component that have the same are one.
"""

import dataclasses
import enum
from collections.abc import Iterable, Mapping
from typing import Any, cast, final

import attrs

from airssys_wasm.core.errors import ConfigError
from airssys_wasm.runtime.abi.names import pascal, snake, upper
from airssys_wasm.runtime.abi.types import EnumType, FlagsType, RecordType, VariantType, WitType

Named = RecordType | VariantType | EnumType | FlagsType
"""The types that have a class."""

ANONYMOUS: Mapping[type, str] = {RecordType: "Record", VariantType: "Variant", EnumType: "Enum", FlagsType: "Flags"}
"""The class names of types that nobody gave a name."""


@final
@attrs.define(eq=False)
class Shapes:
    """Makes each class when it is first asked for.

    Args:
        names: what the types are called in WIT.
        given: classes that are there already, such as those of a module that `airssys-wasm types` wrote.
    """

    names: Mapping[WitType, str] = attrs.field(factory=dict)
    given: Mapping[str, type] = attrs.field(factory=dict)
    _records: dict[WitType, type] = attrs.field(factory=dict, init=False)
    _cases: dict[WitType, dict[str, type]] = attrs.field(factory=dict, init=False)

    def class_of(self, of: RecordType | EnumType | FlagsType) -> type:
        """The class of a record, an enum or flags."""
        if of not in self._records:
            name = self._name(of)
            self._records[of] = self._given(_MAKERS[type(of)](name, of))
        return self._records[of]

    def cases_of(self, of: VariantType) -> dict[str, type]:
        """The classes of a variant's cases, by the cases' names."""
        if of not in self._cases:
            base = self._name(of)
            self._cases[of] = {case: self._case(base + pascal(case), case, payload) for case, payload in of.cases}
        return self._cases[of]

    def check(self) -> None:
        """Make all classes that have a name; raises ConfigError for one that was given and is another."""
        for of in self.names:
            if isinstance(of, VariantType):
                self.cases_of(of)
            elif isinstance(of, RecordType | EnumType | FlagsType):
                self.class_of(of)

    def _case(self, name: str, case: str, payload: WitType | None) -> type:
        name = name.rstrip("_")
        return self._given(case_class(name, case, has_value=payload is not None))

    def _given(self, made: type) -> type:
        """The class that was given for one that was made, if there is one; it has to be made alike."""
        given = self.given.get(made.__name__)
        if given is not None and _outline(given) != _outline(made):
            raise ConfigError(
                "types", given.__name__, "is not the class of this component's type; write the module anew"
            )
        return given or made

    def _name(self, of: Named) -> str:
        return pascal(self.names.get(of) or ANONYMOUS[type(of)])


def record_class(name: str, of: RecordType) -> type:
    """A frozen dataclass with the record's fields."""
    return _frozen(name, [(snake(field), Any) for field, _ in of.fields])


def case_class(name: str, case: str, *, has_value: bool) -> type:
    """A frozen dataclass for a case of a variant: `tag` is its WIT name, `value` what it holds if it can."""
    return type(name, (_CaseWithValue if has_value else _Case,), {"__slots__": (), "tag": case})


def enum_class(name: str, of: EnumType) -> type:
    """A StrEnum whose values are the WIT names."""
    make: Any = enum.StrEnum
    return cast("type", make(name, [(upper(member), member) for member in of.names]))


def flags_class(name: str, of: FlagsType) -> type:
    """A Flag with a bit for each name, in order."""
    make: Any = enum.Flag
    return cast("type", make(name, [(upper(member), 1 << bit) for bit, member in enumerate(of.names)]))


def _outline(cls: Any) -> object:
    """What makes two classes stand for the same type."""
    if issubclass(cls, enum.Enum):
        return {name: member.value for name, member in cls.__members__.items()}
    return [field.name for field in dataclasses.fields(cls)] if dataclasses.is_dataclass(cls) else None


@dataclasses.dataclass(frozen=True, slots=True)
class _Case:
    """A dataclass of its own for each case would take a hundred times as long to make."""


@dataclasses.dataclass(frozen=True, slots=True)
class _CaseWithValue:
    value: Any


def _frozen(name: str, fields: Iterable[tuple[str, Any]]) -> type:
    return dataclasses.make_dataclass(name, fields, frozen=True, slots=True)


_MAKERS: Mapping[type, Any] = {RecordType: record_class, EnumType: enum_class, FlagsType: flags_class}
