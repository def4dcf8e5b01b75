"""`greetings.py`: what is lowered and lifted once for many instances."""

import attrs
import pytest

from airssys_wasm.core.config import ComponentConfig
from airssys_wasm.core.limits import Limits
from airssys_wasm.core.ports import ComponentMetadata
from airssys_wasm.runtime.abi.capi import VAL_BYTES, bytes_at
from airssys_wasm.runtime.abi.codec import codec_for
from airssys_wasm.runtime.abi.pace import Lifting
from airssys_wasm.runtime.abi.types import TupleType
from airssys_wasm.runtime.abi.values import SIZED, Keep, Value
from airssys_wasm.runtime.compiled import SIGNATURES
from airssys_wasm.runtime.contract import EXPORTS
from airssys_wasm.runtime.greetings import KEPT_BYTES, KEPT_ITEMS, Configurations, Metadatas, signatures
from airssys_wasm.runtime.wit import config_to_wit, metadata_from_wit
from tests.runtime.bare import BareEngine, BareStore
from tests.runtime.round_trip import NO_PAD, PAD
from tests.runtime.toys import echo_component

CODEC = SIGNATURES["initialize"].params[0]
CONFIG = ComponentConfig.of("data", {"NAME": "value"})
SAID: tuple[Value, ...] = ("echo", "1.0", "Ünïcode", "", "MIT", ["flush", "save-state"], True)
OTHERS = [
    ("ech", "o1.0", *SAID[2:]),
    (*SAID[:4], "MIT2", *SAID[5:]),
    (*SAID[:5], ["flush"], True),
    (*SAID[:5], ["save-state", "flush"], True),
    (*SAID[:5], [], True),
    (*SAID[:6], False),
]
LARGE = [
    ("x" * KEPT_BYTES, *SAID[1:]),
    (*SAID[:5], [str(number) for number in range(KEPT_ITEMS + 1)], True),
    (*SAID[:5], ["x" * KEPT_BYTES], True),
]


def _lowered(told: Configurations, config: ComponentConfig, limits: Limits) -> tuple[bytes, Keep]:
    keep = Keep()
    return told.lower((config, limits), keep), keep


def test_an_equal_configuration_has_the_image_of_the_last_one() -> None:
    """Which lives as long as whoever uses it, whatever comes next."""
    told = Configurations(CODEC)
    first, kept = _lowered(told, CONFIG, Limits())
    again, _ = _lowered(told, ComponentConfig.of("data", {"NAME": "value"}), Limits())
    assert first is again
    _lowered(told, ComponentConfig.of("other"), Limits())
    expected = config_to_wit(CONFIG, Limits())
    assert kept
    assert expected == CODEC.lift(first, Lifting())


@pytest.mark.parametrize(
    ("config", "limits"),
    [
        (ComponentConfig.of("data2", {"NAME": "value"}), Limits()),
        (ComponentConfig.of("data", {"NAME": "value2"}), Limits()),
        (ComponentConfig.of(None, {"NAME": "value"}), Limits()),
        (CONFIG, Limits(max_memory_bytes=1 << 20)),
        (CONFIG, Limits(max_execution_time=1.0)),
    ],
)
def test_another_configuration_or_other_limits_have_another_image(config: ComponentConfig, limits: Limits) -> None:
    """Nothing of one component reaches the next."""
    told = Configurations(CODEC)
    _lowered(told, CONFIG, Limits())
    image, keep = _lowered(told, config, limits)
    assert config_to_wit(config, limits) == CODEC.lift(image, Lifting())
    assert keep


@pytest.mark.parametrize(
    "config",
    [
        ComponentConfig.of("x" * (KEPT_BYTES + 1)),
        ComponentConfig.of(None, {str(number): "" for number in range(KEPT_ITEMS + 1)}),
    ],
)
def test_a_large_configuration_is_not_kept(config: ComponentConfig) -> None:
    """It is lowered each time, and its memory goes with the call."""
    told = Configurations(CODEC)
    small, _ = _lowered(told, CONFIG, Limits())
    large, keep = _lowered(told, config, Limits())
    assert config_to_wit(config, Limits()) == CODEC.lift(large, Lifting())
    assert keep
    assert small is _lowered(told, CONFIG, Limits())[0]


@pytest.fixture(name="lift")
def _lift() -> "Lift":
    return Lift()


class Lift:
    """Metadata as wasmtime hands them out."""

    def __init__(self) -> None:
        result = SIGNATURES["metadata"].result
        assert result is not None
        self.codec, self.metadatas = result, Metadatas(result)

    def __call__(self, value: tuple[Value, ...]) -> ComponentMetadata:
        """Through images that nobody has seen before."""
        keep = Keep()
        return self.metadatas.lift(self.codec.lower(value, keep), Lifting())


def test_those_who_say_the_same_share_one_object(lift: Lift) -> None:
    """And it is what they say."""
    first = lift(SAID)
    assert metadata_from_wit(SAID) == first
    assert first is lift(SAID)


@pytest.mark.parametrize("other", [*OTHERS, *LARGE])
def test_those_who_say_something_else_do_not(lift: Lift, other: tuple[Value, ...]) -> None:
    """However little, and wherever the same characters stand."""
    first = lift(SAID)
    assert metadata_from_wit(other) == lift(other)
    assert first is lift(SAID)


@pytest.mark.parametrize("large", LARGE)
def test_large_metadata_are_not_kept(lift: Lift, large: tuple[Value, ...]) -> None:
    """A guest does not fill the host's memory by what it says of itself."""
    assert lift(large) == lift(large)
    assert lift(large) is not lift(large)


def test_only_so_many_are_known(lift: Lift) -> None:
    """Then it begins anew."""
    for number in range(1000):
        assert str(number) == lift((str(number), *SAID[1:])).name
    assert len(lift.metadatas._known) <= 256
    assert metadata_from_wit(SAID) == lift(SAID)


def test_what_wasmtime_makes_of_metadata_is_laid_out_as_what_we_make_of_it() -> None:
    """The places of its texts are read without the codec. The component echoes a tuple, whose first item it is."""
    kind = EXPORTS["metadata"].result
    assert kind is not None
    store = BareStore.ready(BareEngine(), echo_component(kind))
    lift, keep, codec = Lift(), Keep(), codec_for(TupleType((kind, PAD)))
    try:
        images = codec.lower((SAID, NO_PAD), keep)
        assert store.begin("echo", images, keep=keep).finish() is None
        _, items = SIZED.unpack_from(store.result.result(), 8)
        known = lift.metadatas.lift(bytes_at(items, VAL_BYTES), Lifting())
        assert metadata_from_wit(SAID) == known
        assert known is lift(SAID)
    finally:
        store.close()


def test_the_others_are_those_of_the_contract() -> None:
    """Only what a start needs is special, and it takes and answers the same."""
    found = signatures()
    assert set(SIGNATURES) == set(found)
    assert {"initialize", "metadata"} == {name for name in found if found[name] is not SIGNATURES[name]}
    assert [len(each.params) for each in SIGNATURES.values()] == [len(found[name].params) for name in SIGNATURES]
    assert attrs.fields_dict(ComponentConfig).keys() == {"env", "data"}  # all that is compared and sized
