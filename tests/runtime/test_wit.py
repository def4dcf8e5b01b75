"""Between the contract's values and ours."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airssys_wasm.core import errors
from airssys_wasm.core.calls import Err, Ok
from airssys_wasm.core.config import ComponentConfig
from airssys_wasm.core.errors import (
    ActorStopped,
    AirssysError,
    CapabilityDenied,
    DeliveryError,
    GuestError,
    InvalidId,
    MailboxFull,
    PayloadTooLarge,
    PolicyViolation,
    RequestTimeout,
    TargetNotFound,
)
from airssys_wasm.core.exits import ExitKind, ExitReason
from airssys_wasm.core.ids import ComponentId
from airssys_wasm.core.limits import Limits
from airssys_wasm.core.messages import ComponentMessage, MessageMetadata
from airssys_wasm.runtime import wit
from airssys_wasm.runtime.abi.codec import codec_for
from airssys_wasm.runtime.abi.pace import Lifting
from airssys_wasm.runtime.abi.types import VariantType
from airssys_wasm.runtime.abi.values import Keep
from airssys_wasm.runtime.contract import (
    COMPONENT_CONFIG,
    COMPONENT_ERROR,
    COMPONENT_MESSAGE,
    MESSAGING_ERROR,
    STORAGE_ERROR,
    WASM_ERROR,
)
from airssys_wasm.runtime.wit import (
    MESSAGING_ERRORS,
    config_to_wit,
    id_from_wit,
    id_to_wit,
    message_to_wit,
    messaging_error,
    metadata_from_wit,
    timestamp_to_wit,
    unwrap,
)

TARGET = ComponentId("demo", "target", "0")
SAMPLES: list[AirssysError] = [
    TargetNotFound(TARGET),
    MailboxFull(TARGET),
    CapabilityDenied(TARGET, "send", "x"),
    PolicyViolation(TARGET, "send", "x", "rule"),
    ActorStopped(TARGET),
    PayloadTooLarge(TARGET, 2, 1),
    InvalidId("name", "", "is empty"),
    RequestTimeout(TARGET, 1.0, "withdrawn"),
]
PARTS = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="/*"), min_size=1, max_size=20)
IDS = st.builds(ComponentId, *[PARTS.filter(lambda part: part not in {".", ".."})] * 3)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


def delivery_errors(base: type[AirssysError] = DeliveryError) -> set[type[AirssysError]]:
    """Every class below a class of the tree."""
    return {below for cls in base.__subclasses__() for below in {cls, *delivery_errors(cls)}}


@pytest.mark.parametrize("error", SAMPLES, ids=lambda error: type(error).__name__)
def test_an_error_of_ours_is_a_case_that_the_guest_knows(error: AirssysError) -> None:
    """Case and value fit the WIT type, whatever is in the error."""
    keep = Keep()
    codec = codec_for(MESSAGING_ERROR)
    case = messaging_error(error)
    assert case == codec.lift(codec.lower(case, keep), Lifting())


def test_the_table_has_every_delivery_error_that_a_sender_can_meet() -> None:
    """The crash of a target is not the sender's to know; everything else has its row."""
    expected = {cls for cls in delivery_errors() if cls.__module__ == errors.__name__} - {errors.ComponentCrashed}
    assert {*expected, InvalidId} == set(MESSAGING_ERRORS)
    assert set(MESSAGING_ERRORS) == {type(error) for error in SAMPLES}


def test_every_case_of_the_messaging_error_has_a_class() -> None:
    """And no row invents one."""
    assert {name for name, _ in MESSAGING_ERROR.cases} == {case for case, _ in MESSAGING_ERRORS.values()}


def test_an_error_that_the_table_does_not_name_is_delivery_failed() -> None:
    """With its text."""
    assert ("delivery-failed", "new") == messaging_error(AirssysError("new"))


@pytest.mark.parametrize("of", [WASM_ERROR, COMPONENT_ERROR, MESSAGING_ERROR, STORAGE_ERROR], ids=str)
def test_every_case_of_a_guests_error_comes_back_as_guest_error(of: VariantType) -> None:
    """With its case, and its text where the case has one."""
    for name, payload in of.cases:
        with pytest.raises(GuestError) as caught:
            unwrap(Err((name, None if payload is None else "why")))
        assert (name, "" if payload is None else "why") == (caught.value.case, caught.value.text)


@pytest.mark.parametrize("value", [None, b"", b"data"])
def test_the_good_half_of_a_result_is_its_value(value: bytes | None) -> None:
    """None and empty bytes stay apart."""
    assert value == unwrap(Ok(value))
    assert (value is None) is (unwrap(Ok(value)) is None)


@given(IDS)
def test_ids_come_back_as_they_went(component: ComponentId) -> None:
    """Any id that is allowed."""
    assert component == id_from_wit(id_to_wit(component))


@pytest.mark.parametrize(
    "value", [("", "b", "c"), ("a/b", "b", "c"), ("a", "..", "c"), ("a", "b", "*"), ("a", "b", "\n")]
)
def test_a_guest_cannot_name_what_is_no_id(value: tuple[str, str, str]) -> None:
    """It may write anything there."""
    with pytest.raises(InvalidId):
        id_from_wit(value)


@given(
    st.builds(
        ComponentMessage,
        IDS,
        st.binary(max_size=50),
        st.builds(MessageMetadata, st.none() | TEXT, st.none() | IDS, st.integers(0, 2**63), st.none() | TEXT),
    )
)
def test_any_message_fits_the_contract(message: ComponentMessage) -> None:
    """And says the same when it is read back."""
    keep = Keep()
    codec = codec_for(COMPONENT_MESSAGE)
    sender, payload, (correlation, reply_to, (seconds, nanoseconds), content_type) = codec.lift(
        codec.lower(message_to_wit(message), keep), Lifting()
    )
    metadata = message.metadata
    assert (id_to_wit(message.sender), message.payload.data) == (sender, payload)
    assert (metadata.correlation_id, metadata.content_type) == (correlation, content_type)
    assert (None if metadata.reply_to is None else id_to_wit(metadata.reply_to)) == reply_to
    assert metadata.timestamp_ms * 1_000_000 == seconds * 1_000_000_000 + nanoseconds


@given(
    st.builds(ComponentConfig.of, st.none() | TEXT | st.binary(max_size=20), st.dictionaries(TEXT, TEXT, max_size=3)),
    st.builds(Limits, max_execution_time=st.floats(1e-9, 1e18), max_fuel=st.none() | st.integers(1, 2**63 - 1)),
)
def test_any_config_fits_the_contract(config: ComponentConfig, limits: Limits) -> None:
    """However long or short a call may take."""
    keep = Keep()
    codec = codec_for(COMPONENT_CONFIG)
    env, data, (memory, milliseconds, fuel) = codec.lift(codec.lower(config_to_wit(config, limits), keep), Lifting())
    assert (list(config.env), config.data) == (env, data)
    assert (limits.max_memory_bytes, limits.max_fuel) == (memory, fuel)
    assert milliseconds >= 1


def test_a_timestamp_is_seconds_and_nanoseconds() -> None:
    """The rest below a second."""
    assert (1_700_000_000, 123_456_789) == timestamp_to_wit(1_700_000_000_123_456_789)


def test_metadata_is_read_field_by_field() -> None:
    """In the order of the contract."""
    metadata = metadata_from_wit(("n", "1", "d", "a", "l", ["flush"], True))
    assert ("n", "1", "d", "a", "l", ("flush",), True) == (
        metadata.name,
        metadata.version,
        metadata.description,
        metadata.author,
        metadata.license,
        metadata.supported_operations,
        metadata.stateful,
    )


def test_a_guest_does_not_fill_the_log_with_its_error_or_metadata() -> None:
    """Texts that end up in logs, errors and statistics are cut, and say so."""
    with pytest.raises(GuestError) as caught:
        wit.unwrap(Err(("runtime-error", "x" * 1_000_000)))
    assert len(caught.value.text) < wit.MAX_ERROR_CHARS + 100
    assert caught.value.text.endswith("(1000000 characters)")
    metadata = wit.metadata_from_wit(("n" * 10_000, "1", "", "", "", ["op"] * 10_000, False))
    assert (wit.MAX_OPERATIONS, True) == (len(metadata.supported_operations), len(metadata.name) < 1_100)


def test_a_sender_does_not_read_why_its_target_has_ended() -> None:
    """The reason may hold what the target said of itself."""
    reason = ExitReason(ExitKind.FAILED, "initialize answered err: my secret")
    case, text = wit.messaging_error(ActorStopped(ComponentId("a", "b", "c"), reason))
    assert ("delivery-failed", "a/b/c has stopped") == (case, text)
