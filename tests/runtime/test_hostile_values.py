"""The contract's own values at their edges, from host code to a guest and back: an answer or an error, never worse."""

from typing import Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airssys_wasm.core.config import ComponentConfig
from airssys_wasm.core.errors import AirssysError
from airssys_wasm.core.ids import ComponentId
from airssys_wasm.core.messages import ComponentMessage, MessageMetadata
from airssys_wasm.runtime.store import GuestStore
from tests.runtime.guests import SENDER, Start, ask, message

EDGES: Final = ["", "\0", "\ud800", "\udfff", "a\udc00b", "\U0010ffff", "\uffff", "é" * 2000, "x" * 100_000, "/", "a|b"]
TEXTS: Final = st.sampled_from(EDGES) | st.text(st.characters(codec=None), max_size=20)
NUMBERS: Final = st.sampled_from([0, 1, -1, 999, 2**31, 2**53, 2**63, 2**64 - 1, 2**64, 2**64 * 1000 - 1, 2**200])
PAYLOADS: Final = st.sampled_from([b"", b"\0", b"\xff" * 7, b"x" * 100_000]) | st.binary(max_size=2000)
MANY: Final = settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


PARTS: Final = st.sampled_from(["a", "a|b", "\U0010ffff", "é" * 30, "x" * 60]) | st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="/*"), min_size=1, max_size=9
).filter(lambda part: part not in {".", ".."})
IDS: Final = st.builds(ComponentId, PARTS.filter(lambda part: part != "host"), PARTS, PARTS)
METADATA: Final = st.builds(
    MessageMetadata, st.none() | TEXTS, st.none() | IDS, NUMBERS | st.integers(0, 2**66), st.none() | TEXTS
)


def encodable(*texts: str | None) -> bool:
    """Whether all of them are text that a guest can be handed."""
    try:
        "".join(filter(None, texts)).encode()
    except UnicodeEncodeError:
        return False
    return True


@given(sender=IDS, payload=PAYLOADS, metadata=METADATA)
@MANY
async def test_a_message_arrives_unchanged_or_is_refused(
    start: Start, sender: ComponentId, payload: bytes, metadata: MessageMetadata
) -> None:
    """Ids, payload, correlation id, timestamp and content type of any kind; the instance lives on either way."""
    guest = await start("echo")
    await _refused_or_answered(guest, ComponentMessage(sender, payload, metadata), payload)
    assert b"still here" == await ask(guest, b"still here")


async def _refused_or_answered(guest: GuestStore, sent: ComponentMessage, expected: bytes) -> None:
    metadata = sent.metadata
    fits = encodable(metadata.correlation_id, metadata.content_type) and 0 <= metadata.timestamp_ms < 2**64 * 1000
    try:
        assert expected == await guest.handle_message(sent)
        assert fits
    except (AirssysError, ValueError):
        assert not fits


@given(metadata=METADATA, sender=IDS)
@MANY
async def test_an_envelope_reads_the_same_on_the_other_side(
    start: Start, metadata: MessageMetadata, sender: ComponentId
) -> None:
    """Every field as it was sent, for what can be sent at all."""
    guest = await start("hostile")
    try:
        answer = await guest.handle_message(ComponentMessage(sender, b"envelope", metadata))
    except (AirssysError, ValueError):
        return
    assert answer is not None
    seconds, milliseconds = divmod(metadata.timestamp_ms, 1000)
    for said in (str(sender), f"{seconds} {milliseconds * 1_000_000}", metadata.correlation_id, metadata.content_type):
        assert said is None or said in answer.decode()


@given(env=st.dictionaries(TEXTS, TEXTS, max_size=4), config=st.none() | TEXTS | st.binary(max_size=100))
@MANY
async def test_a_configuration_arrives_unchanged_or_is_refused(
    start: Start, env: dict[str, str], config: str | bytes | None
) -> None:
    """Environment and configuration data of any kind."""
    try:
        ComponentConfig.of(config, env)
    except AirssysError:
        return
    text = config.decode("latin-1") if isinstance(config, bytes) else config
    guest = await start("hostile", config=text, env=env)
    assert (await ask(guest, b"env")) is not None


@pytest.mark.parametrize("bad", [2**64 * 1000, -1, 2**200])
async def test_a_timestamp_that_no_guest_can_read_costs_nothing(start: Start, bad: int) -> None:
    """It is refused before the guest runs."""
    guest = await start("counter")
    with pytest.raises(ValueError, match=r"timestamp|seconds|u64"):
        await guest.handle_message(ComponentMessage(SENDER, b"", MessageMetadata(timestamp_ms=bad)))
    assert b"1" == await guest.handle_message(message())
