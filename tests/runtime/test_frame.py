"""Frames: what goes in arrives, what comes back is read, and neither guest nor host notices which path it took."""

import random
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final

import pytest

from airssys_wasm.core.config import ComponentConfig
from airssys_wasm.core.errors import GuestError, PayloadTooLarge, Trap
from airssys_wasm.core.ids import ComponentId
from airssys_wasm.core.limits import KIB, MIB, Limits
from airssys_wasm.core.messages import ComponentMessage, MessageMetadata
from airssys_wasm.core.ports import HostState
from airssys_wasm.runtime.abi.frame import ERROR_CASES, MAX_TEXT_BYTES, Frames, room_for
from airssys_wasm.runtime.abi.values import Keep, address_of, release
from airssys_wasm.runtime.contract import WASM_ERROR
from airssys_wasm.runtime.engine import WasmtimeEngine
from airssys_wasm.runtime.store import GuestStore
from tests.guests import wat
from tests.runtime.guests import GUEST, SENDER, Start, binary, message

SIZES: Final = [0, 1, 15, 16, 17, 31, 32, 63, 64, 65, 127, 2047, 2048, 2049, 2240, 4096, 65_535, 65_536, 65_537]
ALPHABET: Final = "aZ09 -_ü\u00df\u20ac\U0001f980\U0010ffff\u0300\u200d日本"


Pair = list[GuestStore]
"""The same guest on the byte path and on the value path."""


@pytest.fixture
async def pair() -> AsyncIterator[Pair]:
    """The hostile guest on the byte path and on the value path."""
    guests = list[GuestStore]()
    async with WasmtimeEngine() as one, WasmtimeEngine(byte_path=False) as other:
        for engine in (one, other):
            guest = await engine.start(await engine.compile(binary("hostile"), Limits()), HostState(GUEST))
            guests.append(guest)
            await guest.initialize(ComponentConfig())
        assert (True, False) == (guests[0]._delivery is not None, guests[1]._delivery is not None)
        yield guests
        while guests:
            await guests.pop().aclose()


async def outcome(call: Callable[[ComponentMessage], Awaitable[Any]], sent: ComponentMessage) -> object:
    """What a call answers or raises."""
    try:
        return await call(sent)
    except GuestError as exc:
        return exc.case, exc.text


def texts(dice: random.Random, most: int = 12) -> str:
    """A text of one to some characters, of one to four bytes each."""
    return "".join(dice.choices(ALPHABET, k=dice.randint(1, most)))


def envelopes(dice: random.Random) -> MessageMetadata:
    """Metadata with and without each of its parts."""
    reply_to = ComponentId(texts(dice), texts(dice), texts(dice)) if dice.random() < 0.5 else None
    correlation, content_type = (texts(dice, 40) if dice.random() < 0.5 else None for _ in range(2))
    return MessageMetadata(correlation, reply_to, dice.choice([0, 1, 999, 1000, dice.randrange(2**63)]), content_type)


async def test_payloads_of_every_size_and_kind_come_back(pair: Pair) -> None:
    """ASCII, random, and ASCII but for the last or the first byte."""
    dice = random.Random(1)
    for size in [*SIZES, *(dice.randrange(3000) for _ in range(60)), 300_000, 1_000_000]:
        for payload in (
            b"x" * size,
            dice.randbytes(size),
            (b"\xff" + b"x" * size)[:size],
            (b"x" * size + b"\x80")[-size:] if size else b"",
        ):
            assert payload == await pair[0].handle_message(message(b"echo " + payload)), size


async def test_every_envelope_reads_the_same_on_both_paths(pair: Pair) -> None:
    """Unicode ids, correlation ids, content types, each there or not; timestamps to the millisecond."""
    dice = random.Random(2)
    for _ in range(60):
        sender = ComponentId(texts(dice), texts(dice), texts(dice))
        sent = ComponentMessage(sender, b"envelope", envelopes(dice))
        answers = [await outcome(guest.handle_message, sent) for guest in pair]
        assert answers[1] == answers[0], sent
        assert str(sender).encode() in (await pair[0].handle_message(sent) or b"")


async def test_every_callback_reads_the_same_on_both_paths(pair: Pair) -> None:
    """The payload too."""
    dice = random.Random(3)
    for _ in range(20):
        sent = ComponentMessage(SENDER, dice.randbytes(dice.randrange(40)), envelopes(dice))
        assert [None, None] == [await outcome(guest.handle_callback, sent) for guest in pair]
        kept = [await guest.handle_message(message(b"last-callback")) for guest in pair]
        assert kept[1] == kept[0]


def test_the_cases_of_wasm_error_are_those_of_the_contract() -> None:
    """In its order: they cross as numbers."""
    assert tuple(name for name, _ in WASM_ERROR.cases) == ERROR_CASES


@pytest.mark.parametrize("callback", [False, True])
@pytest.mark.parametrize("case", ERROR_CASES)
async def test_every_err_reads_the_same_on_both_paths(pair: Pair, case: str, callback: bool) -> None:
    """Without text, with ASCII, with Unicode, with much of it; timeout has none."""
    for text in ("", "plain", "grüße an €\U0001f980", "ü" * 1500, "x" * 5000, "é" * 100_000):
        command = f"{'refuse' if callback else 'err'} {case} {text}"
        calls = [guest.handle_callback if callback else guest.handle_message for guest in pair]
        answers = [await outcome(call, message(command.encode())) for call in calls]
        assert answers[1] == answers[0]
        assert case == answers[0][0]  # type: ignore[index]  # a pair


async def test_none_and_empty_and_ok_stay_apart(pair: Pair) -> None:
    """Whatever was answered before: an answer is read for itself."""
    for guest in pair:
        answers = [await guest.handle_message(message(text)) for text in (b"none", b"empty", b"echo ", b"none")]
        assert [None, b"", b"", None] == answers
        await guest.handle_callback(message(b"some"))


async def test_a_text_of_err_over_every_limit_is_cut_and_says_how_long_it_was(start: Start) -> None:
    """The start of it crosses, at a character's edge; the guest lives on."""
    guest = await start(limits=Limits(max_payload_bytes=100 * KIB))
    with pytest.raises(GuestError) as caught:
        await guest.handle_message(message(b"err runtime-error " + "€".encode() * 30_000))
    assert ("€" * 10, 4096 < len(caught.value.text)) == (caught.value.text[:10], True)
    await guest.handle_message(message(b"count"))


async def test_text_that_is_not_utf8_is_an_invalid_answer(start: Start) -> None:
    """As where wasmtime reads it; the instance is spent."""
    guest = await start(wat.low_level({"handle-message": _err(b"\xff\xfe")}))
    with pytest.raises(Trap) as caught:
        await guest.handle_message(message())
    assert "invalid-answer" == caught.value.code
    with pytest.raises(Trap, match="spent"):
        await guest.handle_message(message())


def _err(text: bytes) -> str:
    """A function that answers err(runtime-error(text))."""
    written = "".join(f"(i32.store8 (i32.const {800 + at}) (i32.const {byte}))" for at, byte in enumerate(text))
    return f"""{written}
        (i32.store8 (i32.const 640) (i32.const 1)) (i32.store8 (i32.const 644) (i32.const 6))
        (i32.store (i32.const 648) (i32.const 800)) (i32.store (i32.const 652) (i32.const {len(text)}))
        (i32.const 640)"""


@pytest.mark.parametrize("size", [1001, 5000, 3_000_000, 60_000_000])
async def test_an_answer_over_the_limit_does_not_cross(start: Start, size: int) -> None:
    """Its length does; the guest lives on."""
    guest = await start(limits=Limits(max_payload_bytes=1000))
    with pytest.raises(PayloadTooLarge) as caught:
        await guest.handle_message(message(f"huge {size}".encode()))
    assert size == caught.value.payload_bytes
    assert b"2" == await guest.handle_message(message(b"count"))


@pytest.mark.parametrize(
    "metadata",
    [
        MessageMetadata(content_type="x" * MAX_TEXT_BYTES),
        MessageMetadata(correlation_id="ü" * MAX_TEXT_BYTES),
        MessageMetadata(timestamp_ms=2**64 + 1),
    ],
    ids=["content type", "correlation id", "time"],
)
async def test_what_fits_no_frame_takes_the_value_path(pair: Pair, metadata: MessageMetadata) -> None:
    """Message by message, and nobody notices."""
    delivery = pair[0]._delivery
    assert delivery is not None
    sent = message(b"envelope", metadata)
    assert None is delivery.head(sent)
    answers = [await guest.handle_message(sent) for guest in pair]
    assert answers[1] == answers[0]


def test_heads_are_kept_for_senders_that_come_again_and_are_bounded() -> None:
    """A correlation id is used once."""
    frames = Frames()
    metadata = MessageMetadata(reply_to=GUEST)
    first, again = (frames.head(ComponentMessage(SENDER, payload, metadata)) for payload in (b"a", b"b"))
    assert first is again
    for number in range(3000):
        frames.head(message(b"", MessageMetadata(content_type=str(number))))
        frames.head(message(b"", MessageMetadata(correlation_id=str(number))))
    assert 3000 % 1024 + 1 >= len(frames._heads)


def test_what_a_frame_keeps_is_let_go_of_when_wasmtime_has_copied_it() -> None:
    """The codec of a large payload goes back to its pool; none is made for a small or ASCII one."""
    frames, keep = Frames(), Keep()
    for payload, idle in ((b"x" * 10_000, 0), (b"\xff" * 100, 0), (b"\xff" * 10_000, 1), (b"\xfe" * 10_000, 1)):
        sent = message(payload)
        head = frames.head(sent)
        assert head is not None
        frames.lower(head, sent, 0, MIB, keep)
        release(keep)
        assert idle == len(frames._planes._idle)


@pytest.mark.parametrize("most", [1, 2047, 2048, MIB, MIB + 1, 64 * MIB])
def test_the_memory_of_frames_has_room_for_the_largest_payload_and_a_seventh_more(most: int) -> None:
    """In whole pages, with some for ids and what stands before."""
    room = room_for(Limits(max_payload_bytes=most))
    assert 0 == room % (64 * KIB)
    assert most * 8 / 7 < room <= most * 8 / 7 + 200 * KIB


@pytest.mark.parametrize("forged", [b"\0", b"\x11\0\0", b"\x06" + bytes(8), b"\x06\x7f\x7f" + bytes(200)])
def test_no_more_is_read_than_has_crossed(forged: bytes) -> None:
    """The appended module would never write it; should another one ever do, it ends the call."""
    with pytest.raises(Trap) as caught:
        Frames().lift(address_of(forged), len(forged))
    assert "invalid-answer" == caught.value.code
