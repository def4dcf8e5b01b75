"""Values to and from the memory images of wasmtime's: by ourselves, and through a component."""

import math
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airssys_wasm.core.calls import BadValue, Err, Ok
from airssys_wasm.runtime.abi.codec import Interned, codec_for
from airssys_wasm.runtime.abi.pace import MOST_STEPS, TEXT_STEP, Lifting
from airssys_wasm.runtime.abi.types import (
    BOOL,
    BYTES,
    STRING,
    EnumType,
    FuncType,
    ListType,
    OptionType,
    OtherType,
    ResultType,
    Scalar,
    TupleType,
    WitType,
    record,
    variant,
)
from airssys_wasm.runtime.abi.values import Keep
from airssys_wasm.runtime.contract import COMPONENT_ID, COMPONENT_MESSAGE, EXPORTS, IMPORTS
from tests.runtime.bare import BareEngine, BareStore
from tests.runtime.toys import echo_component
from tests.runtime.values import INTEGERS, typed_values, values_of

ENGINE = BareEngine()
PAD = TupleType((Scalar("u8"),) * 16)
NO_PAD = (0,) * 16
ID = ("demo", "guest", "0")
EVERYTHING = record(
    flag=BOOL,
    sizes=TupleType(tuple(Scalar(name) for name in INTEGERS)),
    floats=TupleType((Scalar("f32"), Scalar("f64"))),
    letter=Scalar("char"),
    text=STRING,
    data=BYTES,
    ids=ListType(COMPONENT_ID),
    maybe=OptionType(BYTES),
    choice=variant(none=None, one=STRING, many=ListType(STRING)),
    colour=EnumType(("red", "green")),
    answer=ResultType(OptionType(STRING), EnumType(("bad", "worse"))),
    bare=ResultType(None, None),
)


def there_and_back(of: WitType, value: Any) -> Any:
    """Lower and lift without wasmtime; what was lowered is alive as long as it takes."""
    keep = Keep()
    codec = codec_for(of)  # images point to the names that it holds
    return codec.lift(codec.lower(value, keep), Lifting())


def through_wasm(of: WitType, *values: Any) -> list[Any]:
    """Have a component echo values."""
    pair = TupleType((of, PAD))
    store = BareStore.ready(ENGINE, echo_component(of))
    try:
        return [store.call("echo", FuncType((("value", pair),), pair), (value, NO_PAD))[0] for value in values]
    finally:
        store.close()


@given(typed_values(max_leaves=12))
def test_what_is_lowered_is_lifted_again(typed: tuple[WitType, Any]) -> None:
    """Any type, any value."""
    of, value = typed
    assert value == there_and_back(of, value)


@settings(max_examples=40)
@given(typed_values())
def test_a_component_echoes_any_value(typed: tuple[WitType, Any]) -> None:
    """The engine reads what the codecs write and writes what they read."""
    of, value = typed
    assert [value] == through_wasm(of, value)


@settings(max_examples=10)
@given(st.lists(values_of(EVERYTHING), min_size=5, max_size=5))
def test_a_component_echoes_a_record_of_everything(values: list[Any]) -> None:
    """Every kind of type at once."""
    assert values == through_wasm(EVERYTHING, *values)


@pytest.mark.parametrize("of", [COMPONENT_MESSAGE, *(f.result for f in EXPORTS.values())], ids=str)
def test_the_types_of_the_contract_cross(of: WitType) -> None:
    """Those of every message and every answer."""
    values = _samples(of)
    assert values == through_wasm(of, *values)


@pytest.mark.parametrize("size", [0, 1, 255, 16_384, 16_385, 40_000, 1 << 20])
def test_bytes_of_any_size_cross(size: int) -> None:
    """Below the chunk that is copied at once, at it, and over it."""
    data = (bytes(range(256)) * (size // 256 + 1))[:size]
    assert [data] == through_wasm(BYTES, data)


@pytest.mark.parametrize("part", ["x", "aé", "a€é", "\U0001f40d", "aé€\U0001f40d"])
@pytest.mark.parametrize("more", [-1, 0, 1, 300_000])
def test_text_of_any_size_crosses(part: str, more: int) -> None:
    """Also what is encoded and decoded in chunks, which end within a character."""
    codec, keep = codec_for(STRING), Keep()
    text = part * ((MOST_STEPS * TEXT_STEP + more) // len(part))
    assert text == codec.lift(codec.lower(text, keep), Lifting())


def test_a_long_text_lets_others_run_in_between(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways: a guest can send tens of megabytes, during which nothing else would run."""
    pauses = list[float]()
    monkeypatch.setattr(time, "sleep", pauses.append)
    codec, keep, lifting = codec_for(STRING), Keep(), Lifting()
    keep.unbound()
    image = codec.lower("é" * (10 * MOST_STEPS * TEXT_STEP), keep)
    assert len(pauses) >= 10
    lifting.unbound()
    codec.lift(image, lifting)
    assert len(pauses) >= 30


@pytest.mark.parametrize("repeated", [1, 10_000], ids=["at once", "in chunks"])
def test_bytes_may_be_any_buffer(repeated: int) -> None:
    """One with steps, and one of larger items, too."""
    data = b"abcd" * repeated
    stepped, items = memoryview(b"a.b.c.d." * repeated)[::2], memoryview(data).cast("I")
    assert [data] * 4 == [
        there_and_back(BYTES, buffer) for buffer in (bytearray(data), memoryview(data), stepped, items)
    ]


@pytest.mark.parametrize("value", [math.inf, -math.inf, -0.0, 5e-324])
def test_floats_keep_their_bits(value: float) -> None:
    """Signed zero and denormals."""
    assert repr(value) == repr(through_wasm(Scalar("f64"), value)[0])


@pytest.mark.parametrize("name", ["f32", "f64"])
def test_nan_stays_nan(name: str) -> None:
    """Its payload may change."""
    assert math.isnan(through_wasm(Scalar(name), math.nan)[0])


BAD: list[tuple[WitType, Any, str]] = [
    (STRING, "\ud800", ""),
    (STRING, "ok\udfff", ""),
    (STRING, b"bytes", ""),
    (STRING, None, ""),
    (Scalar("char"), "ab", ""),
    (Scalar("char"), "", ""),
    (Scalar("char"), "\udabc", ""),
    (Scalar("char"), 65, ""),
    (BOOL, 1, ""),
    (BOOL, None, ""),
    (Scalar("u8"), True, ""),
    (Scalar("u8"), 256, ""),
    (Scalar("u8"), -1, ""),
    (Scalar("u64"), 2**64, ""),
    (Scalar("s64"), -(2**63) - 1, ""),
    (Scalar("u32"), 1.0, ""),
    (Scalar("u32"), "1", ""),
    (Scalar("f32"), 1e300, ""),
    (Scalar("f64"), 10**400, ""),
    (Scalar("f64"), "1", ""),
    (BYTES, "text", ""),
    (BYTES, [1, 2], ""),
    (BYTES, None, ""),
    (ListType(STRING), "text", ""),
    (ListType(STRING), ["a", 1], "[1]"),
    (TupleType((STRING, STRING)), ("a",), ""),
    (TupleType((STRING, STRING)), ("a", "b", "c"), ""),
    (TupleType((STRING, Scalar("u8"))), ("a", 300), "[1]"),
    (COMPONENT_ID, ("a", "b"), ""),
    (COMPONENT_ID, ["a", "b", "c"], ""),
    (COMPONENT_ID, {"namespace": "a"}, ""),
    (COMPONENT_ID, ("a", "\ud800", "c"), "name"),
    (EnumType(("red", "green")), "blue", ""),
    (EnumType(("red", "green")), 0, ""),
    (EnumType(("red", "green")), ["red"], ""),
    (variant(one=STRING, none=None), ("two", None), ""),
    (variant(one=STRING, none=None), "none", ""),
    (variant(one=STRING, none=None), (["one"], None), ""),
    (variant(one=STRING, none=None), ("one", 1), "one"),
    (variant(one=STRING, none=None), ("one", None), "one"),
    (variant(one=STRING, none=None), ("none", "value"), "none"),
    (OptionType(STRING), 1, ""),
    (ResultType(STRING, None), "text", ""),
    (ResultType(STRING, None), None, ""),
    (ResultType(STRING, None), Ok(1), "ok"),
    (ResultType(STRING, None), Err("text"), "err"),
    (COMPONENT_MESSAGE, (ID, b"", (None, ("a", 1, "c"), (0, 0), None)), "metadata.reply-to.name"),
    (COMPONENT_MESSAGE, (ID, b"", (None, None, (0, -1), None)), "metadata.timestamp.nanoseconds"),
    (ListType(TupleType((STRING, STRING))), [("a", "b"), ("c", "\ud800")], "[1][1]"),
]


@pytest.mark.parametrize(("of", "value", "path"), BAD, ids=[f"{of}-{value!a}"[:60] for of, value, _ in BAD])
def test_a_value_that_does_not_fit_is_refused_with_its_place(of: WitType, value: Any, path: str) -> None:
    """Never an abort of the process, and never another value."""
    with pytest.raises(BadValue) as caught:
        codec_for(of).lower(value, Keep())
    assert path == caught.value.path.removeprefix(".")
    assert str(caught.value).startswith(path)


@given(typed_values(), st.data())
def test_values_of_one_type_are_good_or_refused_as_another(typed: tuple[WitType, Any], data: st.DataObject) -> None:
    """A mix-up is a BadValue, or a value of both."""
    _, value = typed
    other, _ = data.draw(typed_values())
    keep = Keep()
    codec = codec_for(other)
    try:
        image = codec.lower(value, keep)
    except BadValue:
        return
    assert repr(codec.lower(codec.lift(image, Lifting()), keep)[0]) == repr(image[0])


def test_images_of_interned_values_are_made_once() -> None:
    """Ids come again and again."""
    codec = codec_for(COMPONENT_MESSAGE, COMPONENT_ID)
    message = (ID, b"data", (None, ID, (0, 0), None))
    keep = Keep()
    assert message == codec.lift(codec.lower(message, keep), Lifting())
    interned = Interned(codec_for(COMPONENT_ID))
    assert interned.lower(ID, keep) is interned.lower(("demo", "guest", "0"), keep)


@pytest.mark.parametrize("value", [("a", ["b"], "c"), ["a", "b", "c"], {}, None])
def test_interned_values_are_checked_too(value: Any) -> None:
    """Also those that no dictionary takes."""
    with pytest.raises(BadValue):
        Interned(codec_for(COMPONENT_ID)).lower(value, Keep())


def test_interned_images_are_bounded_and_outlive_their_dictionary() -> None:
    """A flood of ids costs no memory for ever, and takes no image away from its user."""
    codec = Interned(codec_for(COMPONENT_ID))
    keep = Keep()
    first = codec.lower(ID, keep)
    for number in range(10_000):
        codec.lower(("demo", "guest", str(number)), Keep())
    assert len(codec.images) <= 4096
    assert ID == codec.lift(first, Lifting())


@pytest.mark.parametrize(
    "of", [OtherType("future"), OptionType(OtherType("stream")), ListType(OtherType("errorcontext"))], ids=str
)
def test_a_type_without_codec_is_named(of: WitType) -> None:
    """When the codec is made, not when a value comes."""
    with pytest.raises(TypeError, match="no codec for"):
        codec_for(of)


def test_every_type_of_the_contract_has_a_codec() -> None:
    """Parameters and results, both ways."""
    functions = [*EXPORTS.values(), *(kind for functions in IMPORTS.values() for kind in functions.values())]
    types = [of for kind in functions for _, of in kind.params]
    types += [kind.result for kind in functions if kind.result is not None]
    assert all(hasattr(codec_for(of), "lower") for of in types)


def _samples(of: WitType) -> list[Any]:
    found = list[Any]()

    @settings(max_examples=10, database=None)
    @given(values_of(of))
    def collect(value: Any) -> None:
        found.append(value)

    collect()
    return found
