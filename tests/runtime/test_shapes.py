"""The Python classes of records, variants, enums and flags, and what is taken in their place."""

import dataclasses
import enum
from types import SimpleNamespace
from typing import Any

import pytest

from airssys_wasm.core.calls import BadType, BadValue
from airssys_wasm.runtime.abi.codec import codec_for
from airssys_wasm.runtime.abi.names import pascal, snake, upper
from airssys_wasm.runtime.abi.pace import Lifting
from airssys_wasm.runtime.abi.shapes import Shapes
from airssys_wasm.runtime.abi.types import (
    STRING,
    U32,
    EnumType,
    FlagsType,
    ListType,
    TupleType,
    WitType,
    record,
    variant,
)
from airssys_wasm.runtime.abi.values import Keep

PERSON = record(first_name=STRING, age=U32)
SHAPE = variant(circle=U32, dot=None, line=TupleType((U32, U32)))
COLOUR = EnumType(("red", "deep-blue"))
ACCESS = FlagsType(("read", "write", "run-it"))
TIMES = record(msg=record(metadata=record(timestamp=U32)))
SHAPES = Shapes({PERSON: "person", SHAPE: "shape", COLOUR: "colour", ACCESS: "access"})
Person: Any = SHAPES.class_of(PERSON)
Cases: Any = SHAPES.cases_of(SHAPE)
Circle, Dot, Line = Cases["circle"], Cases["dot"], Cases["line"]
Colour: Any = SHAPES.class_of(COLOUR)
Access: Any = SHAPES.class_of(ACCESS)


class OtherAccess(enum.Flag):
    """Flags of somebody else's."""

    READ = 1
    RUN = 4
    FLY = 8


def there_and_back(of: WitType, value: Any) -> Any:
    """Lower and lift without wasmtime."""
    keep = Keep()
    codec = codec_for(of, shapes=SHAPES)
    return codec.lift(codec.lower(value, keep), Lifting())


def test_names_are_those_of_python() -> None:
    """Words as Python puts them together, and no keyword."""
    assert ("first_name", "class_", "x_ray2") == (snake("first-name"), snake("class"), snake("X-ray2"))
    assert ("FirstName", "None_", "HttpUrl") == (pascal("first-name"), pascal("none"), pascal("HTTP-url"))
    assert "DEEP_BLUE" == upper("deep-blue")


def test_classes_have_their_wit_names() -> None:
    """In Python's spelling; cases begin with their variant's."""
    assert ["Person", "Colour", "Access"] == [cls.__name__ for cls in (Person, Colour, Access)]
    assert ["ShapeCircle", "ShapeDot", "ShapeLine"] == [cls.__name__ for cls in (Circle, Dot, Line)]
    assert "Record" == Shapes().class_of(PERSON).__name__


def test_a_record_is_a_frozen_dataclass() -> None:
    """Shown, compared, taken apart and copied like any other."""
    ada = there_and_back(PERSON, Person("Ada", 36))
    assert Person(first_name="Ada", age=36) == ada
    assert "Person(first_name='Ada', age=36)" == repr(ada)
    assert {"first_name": "Ada", "age": 36} == dataclasses.asdict(ada)
    assert 37 == dataclasses.replace(ada, age=37).age
    with pytest.raises(dataclasses.FrozenInstanceError):
        ada.age = 37


def test_a_case_of_a_variant_can_be_matched() -> None:
    """By class, with its value, and by its tag."""
    match there_and_back(SHAPE, Line((1, 2))):
        case Line((first, second)):
            assert (1, 2) == (first, second)
        case other:
            pytest.fail(f"matched {other}")
    assert ("circle", 5) == (Circle(5).tag, Circle(5).value)
    assert Dot() == there_and_back(SHAPE, Dot())


def test_flags_and_enums_are_pythons_own() -> None:
    """Combined with |, compared with strings."""
    assert Access.READ | Access.RUN_IT == there_and_back(ACCESS, Access.READ | Access.RUN_IT)
    assert Colour.DEEP_BLUE is there_and_back(COLOUR, Colour.DEEP_BLUE)
    assert "deep-blue" == Colour.DEEP_BLUE


@pytest.mark.parametrize(
    ("of", "given", "expected"),
    [
        (PERSON, SimpleNamespace(first_name="Ada", age=36, more=1), Person("Ada", 36)),
        (PERSON, {"first_name": "Ada", "age": 36}, Person("Ada", 36)),
        (PERSON, {"first-name": "Ada", "age": 36}, Person("Ada", 36)),
        (SHAPE, ("circle", 5), Circle(5)),
        (SHAPE, "dot", Dot()),
        (SHAPE, ("dot", None), Dot()),
        (SHAPE, SimpleNamespace(tag="circle", value=5), Circle(5)),
        (SHAPE, SimpleNamespace(tag="dot"), Dot()),
        (COLOUR, "red", Colour.RED),
        (ACCESS, {"read", "run-it"}, Access.READ | Access.RUN_IT),
        (ACCESS, ["read", "read"], Access.READ),
        (ACCESS, set(), Access(0)),
        (ACCESS, OtherAccess.READ | OtherAccess.RUN, Access.READ | Access.RUN_IT),
        (ListType(COLOUR), ("red",), [Colour.RED]),
    ],
)
def test_other_forms_are_taken_too(of: WitType, given: Any, expected: Any) -> None:
    """Nobody has to import a class to call a function."""
    assert expected == there_and_back(of, given)


@pytest.mark.parametrize(
    ("of", "given", "kind", "path"),
    [
        (PERSON, ("Ada", 36), BadType, ""),
        (PERSON, SimpleNamespace(first_name="Ada"), BadType, ""),
        (PERSON, {"first_name": "Ada"}, BadValue, "age"),
        (PERSON, {"first_name": "Ada", "age": 1, "agee": 1}, BadValue, ""),
        (PERSON, {"first_name": "Ada", 5: 1}, BadValue, ""),
        (PERSON, Person("Ada", -1), BadValue, "age"),
        (PERSON, Person(b"Ada", 1), BadType, "first_name"),
        (SHAPE, "circle", BadType, "circle"),
        (SHAPE, "square", BadValue, ""),
        (SHAPE, ("dot", 1), BadValue, "dot"),
        (SHAPE, 5, BadValue, ""),
        (SHAPE, (["circle"], 5), BadValue, ""),
        (SHAPE, Line((1, "2")), BadType, "line[1]"),
        (COLOUR, "DEEP_BLUE", BadValue, ""),
        (COLOUR, 1, BadValue, ""),
        (ACCESS, {"read", "fly"}, BadValue, ""),
        (ACCESS, [["read"]], BadValue, ""),
        (ACCESS, "read", BadType, ""),
        (ACCESS, 1, BadType, ""),
        (ACCESS, OtherAccess.FLY, BadValue, ""),
        (TIMES, {"msg": {"metadata": {"timestamp": "now"}}}, BadType, "msg.metadata.timestamp"),
        (STRING, 10**5000, BadType, ""),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_does_not_fit_is_refused_with_its_place(of: WitType, given: Any, kind: type, path: str) -> None:
    """A ValueError, and also a TypeError where it is of another type altogether."""
    with pytest.raises(BadValue) as caught:
        codec_for(of, shapes=SHAPES).lower(given, Keep())
    assert (kind, path) == (type(caught.value), caught.value.path.removeprefix("."))
    assert isinstance(caught.value, TypeError) is (kind is BadType)


def test_classes_that_are_there_already_are_used() -> None:
    """Such as those of a module that was written for the component."""

    @dataclasses.dataclass(frozen=True)
    class Human:
        first_name: str
        age: int

    shapes = Shapes({PERSON: "person"}, {"Person": Human})
    keep = Keep()
    codec = codec_for(PERSON, shapes=shapes)
    assert Human("Ada", 36) == codec.lift(codec.lower(Human("Ada", 36), keep), Lifting())


class Text(str):
    """A str that encodes itself to what is no UTF-8."""

    __slots__ = ()

    def encode(self, *_arguments: object, **_options: object) -> bytes:
        """What wasmtime would abort the process for."""
        return b"\xff"


def test_a_subclass_cannot_smuggle_anything_in() -> None:
    """Only what it is counts, not what its methods say."""
    assert "fine" == there_and_back(STRING, Text("fine"))
