"""What a guest gets from the host functions, asked from inside a guest."""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence

import pytest

from airssys_wasm.core.config import Execution
from airssys_wasm.core.errors import (
    AirssysError,
    CapabilityDenied,
    HostFunctionError,
    MailboxFull,
    PayloadTooLarge,
    TargetNotFound,
    Trap,
)
from airssys_wasm.core.ids import ComponentId
from airssys_wasm.core.limits import Limits
from airssys_wasm.core.ports import ComponentInfo, HostState
from airssys_wasm.runtime.engine import WasmtimeEngine
from airssys_wasm.runtime.host_fn import guestlog, services
from tests.runtime.guests import GUEST, Start, ask, binary, message, said

TARGET = ComponentId("demo", "target", "0")
LANES = pytest.mark.parametrize("execution", list(Execution))


class Outbox:
    """Takes messages, or refuses them with an error."""

    def __init__(self, error: BaseException | None = None, missed: Sequence[ComponentId] = ()) -> None:
        self.sent = list[tuple[ComponentId, ComponentId, bytes, float]]()
        self.cancelled = list[tuple[ComponentId, str]]()
        self._error, self._missed = error, missed

    async def send(self, sender: ComponentId, target: ComponentId, payload: bytes, *, wait: float) -> None:
        """Note a message."""
        await asyncio.sleep(0)
        if self._error is not None:
            raise self._error
        self.sent.append((sender, target, payload, wait))

    async def broadcast(
        self, sender: ComponentId, targets: Sequence[ComponentId], payload: bytes, *, wait: float
    ) -> Sequence[ComponentId]:
        """Note a message for each target."""
        for target in targets:
            await self.send(sender, target, payload, wait=wait)
        return self._missed

    async def request(self, requester: HostState, target: ComponentId, payload: bytes, *, timeout: float) -> str:
        """Note a message; the timeout is in the place of the wait."""
        await self.send(requester.component_id, target, payload, wait=timeout)
        return "c-1"

    def cancel_request(self, requester: HostState, correlation_id: str) -> None:
        """Note a wish."""
        self.cancelled.append((requester.component_id, correlation_id))

    def has_requests(self, requester: HostState) -> bool:
        """There are none."""
        return False

    def forget(self, requester: HostState) -> None:
        """There is nothing to forget."""

    def describe(self, sender: ComponentId, target: ComponentId) -> ComponentInfo | None:
        """Only the target is known."""
        return ComponentInfo(target, "name", "1.2.3", "healthy") if target == TARGET else None

    async def reachable(self, sender: ComponentId) -> Sequence[ComponentId]:
        """The sender and its target."""
        return [sender, TARGET]


def guest_lines(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    """What guests wrote."""
    return [record for record in caplog.records if record.name == "airssys_wasm.guest"]


@LANES
async def test_send_reaches_the_outbox_with_the_real_sender(start: Start, execution: Execution) -> None:
    """The guest names only the target; the wait is the component's own limit."""
    outbox = Outbox()
    guest = await start(outbox=outbox, execution=execution, limits=Limits(send_wait=0.25))
    assert "ok" == await said(guest, "send demo|target|0 some data")
    assert [(GUEST, TARGET, b"some data", 0.25)] == outbox.sent


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (lambda: TargetNotFound(TARGET), "err target-not-found: demo/target/0"),
        (lambda: MailboxFull(TARGET), "err queue-full"),
        (
            lambda: CapabilityDenied(GUEST, "send", str(TARGET)),
            "err delivery-failed: demo/guest/0 may not send demo/target/0",
        ),
        (lambda: PayloadTooLarge(TARGET, 2, 1), "err invalid-message: payload of 2 bytes"),
    ],
)
async def test_a_refused_send_is_told_to_the_guest(
    start: Start, error: Callable[[], AirssysError], expected: str
) -> None:
    """As a case of messaging-error; the guest goes on."""
    guest = await start(outbox=Outbox(error()))
    assert (await said(guest, "send demo|target|0 data")).startswith(expected)
    assert "2" == await said(guest, "count")


@pytest.mark.parametrize("target", ["|x|0", "a/b|x|0", "..|x|0", "a|*|0", "a|x|\n"], ids=ascii)
async def test_a_target_that_is_no_id_is_an_invalid_message(start: Start, target: str) -> None:
    """Whatever the guest writes there."""
    guest = await start(outbox=Outbox())
    answer = await ask(guest, f"send {target} data".encode())
    assert (answer or b"").startswith(b"err invalid-message: component id")


async def test_a_bare_engine_has_nobody_to_send_to(start: Start) -> None:
    """Every target is unknown."""
    guest = await start()
    assert "err target-not-found: demo/target/0" == await said(guest, "send demo|target|0 data")
    assert (await said(guest, "broadcast demo|target|0 data")).startswith("err delivery-failed: 1 of 1 targets failed")
    assert not await said(guest, "list")


async def test_broadcast_reaches_every_target(start: Start) -> None:
    """One message each."""
    outbox = Outbox()
    guest = await start(outbox=outbox)
    assert "ok" == await said(guest, "broadcast demo|target|0,demo|b|0,demo|c|0 data")
    assert [TARGET, ComponentId("demo", "b", "0"), ComponentId("demo", "c", "0")] == [sent[1] for sent in outbox.sent]


async def test_broadcast_names_those_that_failed(start: Start) -> None:
    """Those the outbox missed and those that are no id, and only as many as fit a line."""
    guest = await start(outbox=Outbox(missed=[TARGET]))
    answer = await said(guest, "broadcast demo|target|0,..|b|0,demo|c|0 data")
    assert "err delivery-failed: 2 of 3 targets failed: '../b/0', demo/target/0" == answer
    many = ",".join(f"..|n|{number}" for number in range(29))
    assert (await said(guest, f"broadcast {many} data")).endswith("and 20 more")


@LANES
async def test_small_questions_are_answered(start: Start, execution: Execution) -> None:
    """Id, clock, other components."""
    guest = await start(outbox=Outbox(), execution=execution)
    assert "demo/guest/0" == await said(guest, "self-id")
    assert ["demo/guest/0", "demo/target/0"] == (await said(guest, "list")).splitlines()
    before = time.time_ns()
    seconds, nanoseconds = map(int, (await said(guest, "time")).split())
    milliseconds = int(await said(guest, "millis"))
    after = time.time_ns()
    assert before <= seconds * 1_000_000_000 + nanoseconds <= after
    assert before // 1_000_000 <= milliseconds <= after // 1_000_000


@LANES
async def test_sleep_suspends_the_guest_for_as_long_as_it_asked(start: Start, execution: Execution) -> None:
    """At least; other things happen meanwhile."""
    guest = await start(execution=execution)
    before = time.monotonic()
    turns, sleeping = 0, asyncio.create_task(said(guest, "sleep 50"))
    while not sleeping.done():
        turns += 1
        await asyncio.sleep(0.001)
    assert "ok" == sleeping.result()
    assert time.monotonic() - before >= 0.05
    assert turns > 5


async def test_a_sleep_of_ages_ends_with_the_deadline(start: Start) -> None:
    """Thirty million years are a number like any other."""
    guest = await start(limits=Limits(max_execution_time=0.3))
    with pytest.raises(Trap, match="ran for more than"):
        await said(guest, f"sleep {10**18}")


async def test_a_request_answers_its_correlation_id(start: Start) -> None:
    """Its timeout is in milliseconds; what comes of it is the outbox's business."""
    outbox = Outbox()
    guest = await start(outbox=outbox)
    assert "ok c-1" == await said(guest, "request 1500 demo|target|0 data")
    assert [(GUEST, TARGET, b"data", 1.5)] == outbox.sent
    assert "ok" == await said(guest, "cancel c-1")
    assert [(GUEST, "c-1")] == outbox.cancelled


async def test_metadata_of_a_component_is_what_the_outbox_tells(start: Start) -> None:
    """Of one that is not known, that it is not found."""
    guest = await start(outbox=Outbox())
    assert "ok demo/target/0 name 1.2.3 healthy" == await said(guest, "meta demo|target|0")
    assert "err invalid-state: not found: demo/b/0" == await said(guest, "meta demo|b|0")


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("request 1000 demo|target|0 data", "err target-not-found: demo/target/0"),
        ("cancel c-1", "ok"),
        ("meta demo|target|0", "err invalid-state: not found: demo/target/0"),
        ("storage-get k", "err io-error: permission denied"),
        ("storage-set k v", "err io-error: permission denied"),
        ("storage-delete k", "err io-error: permission denied"),
        ("storage-exists k", "err io-error: permission denied"),
        ("storage-list", "err io-error: permission denied"),
        ("storage-usage", "err io-error: permission denied"),
    ],
)
async def test_a_bare_engine_gives_nothing_away(start: Start, command: str, expected: str) -> None:
    """Every import is there, and never a false Ok."""
    assert expected == await said(await start(), command)


@LANES
@pytest.mark.parametrize("kind", [KeyError, TimeoutError, ValueError])
async def test_an_exception_in_a_host_function_ends_the_guest(
    start: Start, kind: type[Exception], execution: Execution
) -> None:
    """It is the cause, the function is named, and the instance is spent."""
    error = kind("bug")
    guest = await start(outbox=Outbox(error), execution=execution)
    with pytest.raises(HostFunctionError, match=r"airssys:core/host-messaging@1.0.0#send failed: \w+Error") as caught:
        await said(guest, "send demo|target|0 data")
    assert error is caught.value.__cause__
    with pytest.raises(Trap, match="spent"):
        await said(guest, "count")


@pytest.mark.parametrize("value", [None, "text", -1, 2**64, 1.5, b"1"])
async def test_an_answer_of_another_type_ends_the_guest(monkeypatch: pytest.MonkeyPatch, value: object) -> None:
    """Before it reaches wasmtime."""

    async def wrong(_state: object) -> object:
        return value

    monkeypatch.setattr(services, "current_time_millis", wrong)
    async with WasmtimeEngine() as engine:
        handle = await engine.load_component(GUEST, binary("hostile"))
        with pytest.raises(HostFunctionError, match=r"current-time-millis failed: Bad(Value|Type)"):
            await engine.call_handle_message(handle, message(b"millis"))


async def test_a_guest_logs_a_line_with_its_id_and_context(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    """At its level, fields beside the text."""
    guest = await start()
    with caplog.at_level(5, "airssys_wasm.guest"):
        for level in ("trace", "debug", "info", "warn", "error"):
            await said(guest, f"log {level} line of {level}")
        await said(guest, "log-with info user=me,n=1 with context")
    records = guest_lines(caplog)
    levels = [5, logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR, logging.INFO]
    assert levels == [record.levelno for record in records]
    assert {"demo/guest/0"} == {record.__dict__["component"] for record in records}
    assert (("user", "me"), ("n", "1")) == records[-1].__dict__["guest_context"]
    assert "demo/guest/0: with context user=me n=1" == records[-1].message


async def test_a_guest_cannot_forge_a_line_or_move_a_terminal(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    """Newlines, carriage returns, escapes, and marks that turn the direction are shown, not written."""
    guest = await start()
    with caplog.at_level(logging.INFO, "airssys_wasm.guest"):
        await said(guest, "log info a\nERROR forged\r\x1b[2Jx\u202ey\0")
    assert r"demo/guest/0: a\nERROR forged\r\x1b[2Jx\u202ey\x00" == guest_lines(caplog)[-1].message


async def test_a_flood_of_lines_costs_the_guest_its_own_lines(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    """The next line that is let through says how many were dropped; long lines are cut."""
    guest = await start()
    for _ in range(3):  # known by then: its host calls come faster than the bucket fills
        await said(guest, "count")
    with caplog.at_level(logging.INFO, "airssys_wasm.guest"):
        before = time.monotonic()
        await said(guest, "log-flood 1000 5000")
        took, flooded = time.monotonic() - before, len(guest_lines(caplog))
        await asyncio.sleep(0.05)
        await said(guest, "log info after")
    assert guestlog.BURST_LINES <= flooded <= guestlog.BURST_LINES + guestlog.LINES_PER_SECOND * took + 1
    records = guest_lines(caplog)
    assert 1000 - flooded == sum(record.__dict__["dropped"] for record in records)
    assert "lines dropped before this" in records[-1].message
    assert max(len(record.message) for record in records) < 4200


@LANES
async def test_a_chatty_guest_leaves_the_loop_its_turns(start: Start, execution: Execution) -> None:
    """A thousand host calls in one guest call, and a heartbeat beside them."""
    guest = await start(execution=execution)
    beats, talking = 0, asyncio.create_task(said(guest, "log-flood 1000"))
    while not talking.done():
        beats += 1
        await asyncio.sleep(0.0005)
    assert "ok" == talking.result()
    assert beats > 3
