"""The byte path from outside: the same promises as on the value path, and the ones it makes besides."""

import logging
import random

import pytest

from airssys_wasm.core.errors import InstantiationFailed, Trap
from airssys_wasm.core.limits import MIB, VALUE_PATH_MAX_PAYLOAD_BYTES, Limits
from airssys_wasm.runtime import loader
from airssys_wasm.runtime.abi.append import DELIVER
from airssys_wasm.runtime.abi.frame import room_for
from airssys_wasm.runtime.limiter import MAX_CORE_INSTANCES
from tests.guests import wat
from tests.runtime.guests import BOTH_PATHS, Start, ask, message

# Requests of this size go wrong in the allocators below; the message itself has 104 bytes, aligned to 8.
ODD = 777
NONE = "(i32.const 640)"  # zeroes: ok(none)

COUNTING = {
    # answers some(the byte at 700)
    "handle-message": """
        (i32.store8 (i32.const 644) (i32.const 1))
        (i32.store (i32.const 648) (i32.const 700)) (i32.store (i32.const 652) (i32.const 1)) (i32.const 640)""",
    "handle-callback": "(i32.const 768)",
    "post-handle-message": """
        (if (i32.ne (local.get 0) (i32.const 640)) (then unreachable))
        (i32.store8 (i32.const 700) (i32.add (i32.load8_u (i32.const 700)) (i32.const 1)))""",
    "post-handle-callback": """
        (if (i32.ne (local.get 0) (i32.const 768)) (then unreachable))
        (i32.store8 (i32.const 700) (i32.add (i32.load8_u (i32.const 700)) (i32.const 16)))""",
}


def allocating(size: int, then: str) -> bytes:
    """A guest whose allocator does something else for requests of one size."""
    special = f"(if (i32.eq (local.get 3) (i32.const {size})) (then {then}))"
    return wat.low_level({"handle-message": NONE, "handle-callback": NONE}, realloc=special)


@BOTH_PATHS
@pytest.mark.parametrize("callback", [False, True])
@pytest.mark.parametrize(
    ("size", "then", "code"),
    [
        (ODD, "unreachable", "unreachable"),
        (ODD, "(i32.store (i32.const -4) (i32.const 0))", "memory-out-of-bounds"),
        (ODD, "(return (i32.const 65000))", "invalid-answer"),
        (ODD, "(return (i32.const -1))", "invalid-answer"),
        (104, "(return (i32.const 1028))", "invalid-answer"),
        (104, "(return (i32.const 65528))", "invalid-answer"),
    ],
    ids=["traps", "traps out of bounds", "beyond the end", "far beyond the end", "not aligned", "no room for a record"],
)
async def test_what_goes_wrong_in_the_guests_allocator_is_the_same_crash(
    start: Start, size: int, then: str, code: str, callback: bool
) -> None:
    """Its trap, or an address that cannot be; the instance is spent."""
    guest = await start(allocating(size, then))
    call = guest.handle_callback if callback else guest.handle_message
    for _ in range(2 if size == ODD else 0):
        await call(message(b"fine"))
    with pytest.raises(Trap) as caught:
        await call(message(bytes(ODD)))
    assert code == caught.value.code
    with pytest.raises(Trap, match="spent"):
        await call(message())


@BOTH_PATHS
async def test_a_guest_without_room_for_the_payload_crashes(start: Start) -> None:
    """Its memory ends at its limit, whatever the frames have; the trap is the guest's own."""
    limits = Limits(max_memory_bytes=2 * MIB, max_payload_bytes=MIB * 3 // 2)
    guest = await start(limits=limits)
    with pytest.raises(Trap) as caught:
        await guest.handle_callback(message(b"\xff" * limits.max_payload_bytes))  # which it keeps a copy of
    assert "unreachable" == caught.value.code


@BOTH_PATHS
async def test_what_lies_behind_an_ok_without_value_means_nothing(start: Start) -> None:
    """There a guest leaves what an answer before it was."""
    left = "(i32.store (i32.const 644) (i32.const 0xff)) (i32.store (i32.const 648) (i32.const -1))"
    guest = await start(
        wat.low_level(COUNTING | {"handle-callback": f"{left} (i32.const 640)", "post-handle-callback": ""})
    )
    await guest.handle_callback(message())
    assert b"\0" == await ask(guest, b"")


@BOTH_PATHS
async def test_post_return_is_called_once_for_each_call(start: Start) -> None:
    """With what the function returned, after its answer has been read, the right one of the two."""
    guest = await start(wat.low_level(COUNTING))
    answers = [await ask(guest, b"") for _ in range(3)]
    await guest.handle_callback(message())
    assert [b"\0", b"\1", b"\2", b"\x13"] == [*answers, await ask(guest, b"")]


@BOTH_PATHS
@pytest.mark.parametrize("post", ["handle-message", "handle-callback"])
async def test_a_trap_in_post_return_is_a_trap(start: Start, post: str) -> None:
    """Of the call that it belongs to."""
    guest = await start(wat.low_level(COUNTING | {f"post-{post}": "unreachable"}))
    with pytest.raises(Trap) as caught:
        await (guest.handle_message if post == "handle-message" else guest.handle_callback)(message())
    assert "unreachable" == caught.value.code


@BOTH_PATHS
async def test_a_second_memory_is_refused_as_ever(start: Start) -> None:
    """That of the frames is not the guest's to have."""
    more = '(core module $more (memory (export "memory") 1)) (core instance (instantiate $more))'
    with pytest.raises(InstantiationFailed, match="memory count too high"):
        await start(wat.low_level({"handle-message": NONE}, prelude=more))


@BOTH_PATHS
@pytest.mark.parametrize("more", [0, 1])
async def test_the_number_of_core_instances_is_bounded_as_ever(start: Start, more: int) -> None:
    """The appended one comes on top."""
    instances = "(core instance (instantiate $empty))" * (MAX_CORE_INSTANCES - 1 + more)
    component = wat.low_level({"handle-message": NONE}, prelude=f"(core module $empty) {instances}")
    if more:
        with pytest.raises(InstantiationFailed, match="instance count too high"):
            await start(component)
    else:
        assert None is await ask(await start(component), b"")


async def test_a_component_whose_memory_is_smaller_than_a_frame_takes_the_value_path(start: Start) -> None:
    """The memory of the frames is held to the same bound."""
    limits = Limits(max_payload_bytes=MIB, max_memory_bytes=room_for(Limits(max_payload_bytes=MIB)))
    for less, on_bytes in ((0, True), (1, False)):
        guest = await start("counter", limits=Limits(max_memory_bytes=limits.max_memory_bytes - less))
        assert on_bytes is (guest._delivery is not None)
        assert b"1" == await ask(guest, random.Random(4).randbytes(MIB - 100))


@pytest.mark.parametrize("byte", [b"x", b"\xff"])
async def test_payloads_of_many_mebibytes_pass(start: Start, byte: bytes) -> None:
    """Where component values end at two."""
    size = VALUE_PATH_MAX_PAYLOAD_BYTES * 8
    guest = await start("echo", limits=Limits(max_payload_bytes=size))
    payload = byte * size
    assert payload == await ask(guest, payload)


async def test_a_component_that_has_an_export_of_that_name_takes_the_value_path(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    """Wasmtime refuses what would have two; the log says so to who wants to know."""
    prelude = f"""
        (core module $mine (func (export "f"))) (core instance $i (instantiate $mine))
        (alias core export $i "f" (core func $core-f)) (func $f (canon lift (core func $core-f)))
        (export "{DELIVER}" (func $f))"""
    with caplog.at_level(logging.DEBUG, "airssys_wasm.runtime"):
        guest = await start(wat.low_level(COUNTING, prelude=prelude))
    assert None is guest._delivery
    assert b"\0" == await ask(guest, b"")
    assert any("takes the value path" in record.getMessage() for record in caplog.records)


async def test_an_extension_that_wasmtime_refuses_is_left_out(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own validation has the last word."""
    monkeypatch.setattr(loader, "extension_name", lambda: ".bytes-broken")
    monkeypatch.setattr(loader, "extension_of", lambda _data: b"\x06\x03\x01\x7f\x7f")
    guest = await start("counter")
    assert (None, b"1") == (guest._delivery, await ask(guest, b""))


async def test_fuel_is_the_guests_alone(start: Start) -> None:
    """The appended module would burn some, so metered components take the value path."""
    guest = await start("echo", limits=Limits(max_fuel=10_000_000))
    burnt = list[int]()
    for payload in (b"x" * 10_000, b"\xff" * 10_000):
        before = guest.fuel
        await ask(guest, payload)
        burnt.append(guest.fuel - before)
    assert max(burnt) < 1000
