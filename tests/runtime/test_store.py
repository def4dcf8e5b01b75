"""One instance: what it is started with, what it may use, what ends it."""

import asyncio
import contextlib
import gc
import weakref

import pytest

from airssys_wasm.core.config import ComponentConfig, Execution
from airssys_wasm.core.errors import (
    DeadlineExceeded,
    FuelExhausted,
    GuestError,
    PayloadTooLarge,
    Trap,
)
from airssys_wasm.core.limits import MIB, Limits
from airssys_wasm.core.messages import ComponentMessage, MessageMetadata
from airssys_wasm.core.ports import HealthStatus, HostState
from airssys_wasm.runtime.engine import WasmtimeEngine
from tests.guests import wat
from tests.runtime.guests import BOTH_PATHS, GUEST, SENDER, Start, ask, binary, message, said

CRIMES = {
    "trap": "unreachable",
    "divzero": "integer-division-by-zero",
    "oob": "memory-out-of-bounds",
    "stack-overflow": "stack-overflow",
    "shadow-overflow": "memory-out-of-bounds",
    "memory-bomb": "unreachable",
    "invalid-answer pointer": "invalid-answer",
    "invalid-answer length": "invalid-answer",
    "invalid-answer result": "invalid-answer",
    "invalid-answer option": "invalid-answer",
    "invalid-answer error": "invalid-answer",
    "invalid-answer utf8": "invalid-answer",
    "send-raw utf8": "invalid-answer",
    "send-raw pointer": "invalid-answer",
}
LANES = pytest.mark.parametrize("execution", list(Execution))


async def test_initialize_gets_environment_config_and_limits(start: Start) -> None:
    """In the order in which they were given; fuel is none where it is not metered."""
    limits = Limits(max_memory_bytes=8 * MIB, max_execution_time=1.5)
    guest = await start(config="text ü", env={"B": "2", "A": "ä"}, limits=limits)
    expected = [
        "env B=2",
        "env A=ä",
        "config text ü",
        f"max-memory-bytes {8 * MIB}",
        "max-execution-time-ms 1500",
        "max-fuel none",
    ]
    assert expected == (await said(guest, "env")).splitlines()


async def test_a_config_that_was_not_given_is_none(start: Start) -> None:
    """Not an empty one."""
    guest = await start(limits=Limits(max_fuel=50_000_000))
    lines = (await said(guest, "env")).splitlines()
    assert ["config none", "max-fuel 50000000"] == [lines[0], lines[-1]]


@pytest.mark.parametrize(("config", "operations"), [("metadata-flush", ("flush",)), ("", ())])
async def test_initialize_answers_the_metadata(start: Start, config: str, operations: tuple[str, ...]) -> None:
    """What the guest says of itself."""
    guest = await start()
    metadata = await guest.initialize(ComponentConfig.of(config))
    assert ("hostile", True, operations) == (metadata.name, metadata.stateful, metadata.supported_operations)


async def test_an_err_of_initialize_is_the_guests(start: Start) -> None:
    """With its case and text."""
    with pytest.raises(GuestError, match="initialization-failed: no database"):
        await start(config="init-err no database")


@pytest.mark.parametrize("when", ["init", "metadata"])
async def test_a_trap_at_the_start_is_a_trap(start: Start, when: str) -> None:
    """In `initialize`, and in `metadata` after it."""
    with pytest.raises(Trap) as caught:
        await start(config=f"{when}-trap")
    assert "unreachable" == caught.value.code


@pytest.mark.parametrize("status", list(HealthStatus))
async def test_health_is_what_the_guest_says(start: Start, status: HealthStatus) -> None:
    """Each of the four."""
    guest = await start(config=f"health-{status}")
    assert status is await guest.health()


async def test_shutdown_may_refuse(start: Start) -> None:
    """As an error of the guest's."""
    guest = await start(config="shutdown-err still busy")
    with pytest.raises(GuestError, match="shutdown-failed: still busy"):
        await guest.shutdown()


@BOTH_PATHS
@LANES
@pytest.mark.parametrize(("crime", "code"), CRIMES.items())
async def test_a_crime_ends_the_instance_and_nothing_else(
    start: Start, crime: str, code: str, execution: Execution
) -> None:
    """With the code of its trap, on the loop as on a thread; another guest does not notice."""
    criminal, other = await start(execution=execution), await start("counter", execution=execution)
    assert b"1" == await ask(other, b"")
    with pytest.raises(Trap) as caught:
        await ask(criminal, crime.encode())
    assert code == caught.value.code
    assert b"2" == await ask(other, b"")
    with pytest.raises(Trap) as caught:
        await ask(criminal, b"count")
    assert "spent" == caught.value.code


@BOTH_PATHS
async def test_memory_ends_at_its_limit(start: Start) -> None:
    """The guest may grow up to it and is refused beyond; what it does then is its own affair."""
    guest = await start(limits=Limits(max_memory_bytes=4 * MIB))
    assert (await said(guest, "memory-bomb report")).endswith("to 64")
    assert "64" == await said(guest, "pages")


@BOTH_PATHS
async def test_fuel_ends_a_call_and_is_full_again_for_the_next(start: Start) -> None:
    """Three calls that need most of it each; then one that needs more."""
    guest = await start(limits=Limits(max_fuel=3_000_000))
    for _ in range(3):
        assert "ok" == await said(guest, "spin 200000")
    with pytest.raises(FuelExhausted):
        await said(guest, "spin 20000000")


async def test_fuel_ends_an_endless_loop_in_initialize(start: Start) -> None:
    """Whatever the time limit."""
    with pytest.raises(FuelExhausted):
        await start(config="init-loop", limits=Limits(max_fuel=1_000_000))


@BOTH_PATHS
async def test_an_answer_over_the_limit_is_refused_and_the_instance_goes_on(start: Start) -> None:
    """One byte over it; the message is handed back with the error."""
    guest = await start(limits=Limits(max_payload_bytes=1000))
    assert 1000 == len(await ask(guest, b"huge 1000") or b"")
    with pytest.raises(PayloadTooLarge) as caught:
        await ask(guest, b"huge 1001")
    assert (1001, 1000) == (caught.value.payload_bytes, caught.value.max_payload_bytes)
    assert caught.value.message == message(b"huge 1001")
    assert b"3" == await ask(guest, b"count")


@pytest.mark.parametrize("byte_path", [False])
async def test_an_answer_over_wasmtimes_copy_limit_is_a_trap(start: Start) -> None:
    """3 MiB as component values."""
    guest = await start()
    with pytest.raises(Trap) as caught:
        await ask(guest, b"huge 3145728")
    assert "copy-limit" == caught.value.code


@BOTH_PATHS
@pytest.mark.parametrize("payload", [b"", b"\xff\xfe\0", "grüße".encode()])
async def test_the_envelope_is_what_the_host_says(start: Start, payload: bytes) -> None:
    """Every field of it."""
    guest = await start()
    metadata = MessageMetadata("c-7", GUEST, 1_700_000_000_123, "text/plain; charset=utf-8")
    answer = await guest.handle_message(ComponentMessage(SENDER, b"envelope " + payload, metadata))
    expected = """content-type text/plain; charset=utf-8
correlation-id c-7
sender host/tests/0
reply-to demo/guest/0
timestamp 1700000000 123000000"""
    assert expected.encode() == answer


@BOTH_PATHS
async def test_an_envelope_that_fits_no_type_is_refused_before_the_guest(start: Start) -> None:
    """A lone surrogate would abort the process; the instance is untouched."""
    guest = await start()
    with pytest.raises(ValueError, match=r"metadata\.content-type"):
        await guest.handle_message(message(b"count", MessageMetadata(content_type="\ud800")))
    assert b"1" == await ask(guest, b"count")


async def test_guest_time_is_time_in_guest_code(start: Start) -> None:
    """Waiting for the host is not."""
    guest = await start()
    before = guest.guest_time
    await said(guest, "sleep 200")
    assert guest.guest_time - before < 0.15
    before = guest.guest_time
    await said(guest, "spin 50000000")
    assert guest.guest_time - before > 0.005


@BOTH_PATHS
async def test_after_a_deadline_the_instance_is_spent(start: Start) -> None:
    """A call that did not end cannot be gone on with."""
    guest = await start(limits=Limits(max_execution_time=0.3))
    with pytest.raises(DeadlineExceeded) as caught:
        await said(guest, "sleep-loop 10")
    assert 0.3 == caught.value.seconds
    with pytest.raises(Trap, match="spent"):
        await said(guest, "count")


@BOTH_PATHS
async def test_closing_twice_is_fine_and_a_closed_guest_is_spent(start: Start) -> None:
    """No call reaches what is not there any more."""
    guest = await start()
    await guest.aclose()
    await guest.aclose()
    with pytest.raises(Trap, match="spent"):
        await ask(guest, b"count")


async def test_a_guest_that_failed_goes_without_a_garbage_collection(engine: WasmtimeEngine) -> None:
    """The exception of a call and the call do not hold each other."""
    compiled = await engine.compile(binary("hostile"), Limits())
    gc.collect()
    gc.disable()
    try:
        guest = await engine.start(compiled, HostState(GUEST))
        with contextlib.suppress(Trap):
            await ask(guest, b"trap")
        await guest.aclose()
        gone = weakref.ref(guest._fiber)
        del guest
        for _ in range(1000):  # a worker thread that was in the call lets go of it a moment later
            if gone() is None:
                break
            await asyncio.sleep(0.01)
        assert gone() is None
    finally:
        gc.enable()


async def test_a_component_may_call_the_host_while_it_is_instantiated(start: Start) -> None:
    """In the start function of its module; this one traps if the clock stands at 0."""
    prelude = """
        (import "airssys:core/host-services@1.0.0" (instance $services
            (export "current-time-millis" (func (result u64)))
            (export "sleep-millis" (func (param "duration-ms" u64)))))
        (alias export $services "current-time-millis" (func $millis))
        (alias export $services "sleep-millis" (func $sleep))
        (core func $core-millis (canon lower (func $millis)))
        (core func $core-sleep (canon lower (func $sleep)))
        (core module $early
            (import "host" "millis" (func $millis (result i64)))
            (import "host" "sleep" (func $sleep (param i64)))
            (func $main (call $sleep (i64.const 5)) (if (i64.eqz (call $millis)) (then unreachable)))
            (start $main))
        (core instance $host (export "millis" (func $core-millis)) (export "sleep" (func $core-sleep)))
        (core instance (instantiate $early (with "host" (instance $host))))
    """
    for execution in Execution:
        with pytest.raises(Trap, match="unreachable"):  # of initialize, which comes after
            await start(wat.lifecycle(prelude=prelude), execution=execution)
