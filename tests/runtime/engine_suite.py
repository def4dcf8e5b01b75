"""What every `RuntimeEngine` does; a test class gives it one through the fixture `runtime`."""

import asyncio

import pytest

from airssys_wasm.core.errors import (
    AirssysError,
    ComponentNotFound,
    ExportNotFound,
    GuestError,
    InstantiationFailed,
    InvalidComponent,
    Trap,
)
from airssys_wasm.core.ids import ComponentHandle, ComponentId
from airssys_wasm.core.messages import MessageMetadata, MessagePayload
from airssys_wasm.core.ports import RuntimeEngine
from tests.guests import wat
from tests.runtime.guests import GUEST, binary, message

OTHER = ComponentId("demo", "other", "0")
MIB = 1 << 20


async def answer(runtime: RuntimeEngine, handle: ComponentHandle, payload: bytes = b"") -> bytes | None:
    """What a component answers."""
    answered = await runtime.call_handle_message(handle, message(payload))
    assert answered is None or isinstance(answered, MessagePayload)
    return None if answered is None else answered.data


class RuntimeEngineSuite:
    """One list of promises for all implementations."""

    async def test_handle_ids_count_from_one_and_are_never_used_again(self, runtime: RuntimeEngine) -> None:
        """Whatever was unloaded in between."""
        first = await runtime.load_component(GUEST, binary("echo"))
        await runtime.unload_component(first)
        handles = [first, *[await runtime.load_component(OTHER, binary("echo")) for _ in range(2)]]
        assert [ComponentHandle(GUEST, 1), ComponentHandle(OTHER, 2), ComponentHandle(OTHER, 3)] == handles

    @pytest.mark.parametrize("size", [0, 1, 255, 256, 65_536, MIB])
    async def test_a_payload_comes_back_as_it_went(self, runtime: RuntimeEngine, size: int) -> None:
        """Every byte value, up to a MiB."""
        handle = await runtime.load_component(GUEST, binary("echo"))
        data = (bytes(range(256)) * (size // 256 + 1))[:size]
        assert data == await answer(runtime, handle, data)

    async def test_none_and_empty_are_two_answers(self, runtime: RuntimeEngine) -> None:
        """And stay two."""
        handle = await runtime.load_component(GUEST, binary("hostile"))
        assert (None, b"") == (await answer(runtime, handle, b"none"), await answer(runtime, handle, b"empty"))

    async def test_a_counter_counts_from_one(self, runtime: RuntimeEngine) -> None:
        """State lives in the instance."""
        handle = await runtime.load_component(GUEST, binary("counter"))
        assert [b"1", b"2", b"3"] == [await answer(runtime, handle) for _ in range(3)]

    async def test_two_instances_of_one_component_share_nothing(self, runtime: RuntimeEngine) -> None:
        """Under two ids, or twice under one."""
        handles = [await runtime.load_component(of, binary("counter")) for of in (GUEST, OTHER, GUEST)]
        assert [b"1"] * 3 == [await answer(runtime, handle) for handle in handles]
        assert b"2" == await answer(runtime, handles[0])
        assert [b"2"] * 2 == [await answer(runtime, handle) for handle in handles[1:]]

    async def test_calls_at_the_same_time_take_turns(self, runtime: RuntimeEngine) -> None:
        """First come, first served."""
        handle = await runtime.load_component(GUEST, binary("counter"))
        answers = await asyncio.gather(*[answer(runtime, handle) for _ in range(50)])
        assert [str(number).encode() for number in range(1, 51)] == answers

    async def test_a_callback_reaches_the_guest_with_its_envelope(self, runtime: RuntimeEngine) -> None:
        """Correlation id and content type are the guest's to read."""
        handle = await runtime.load_component(GUEST, binary("hostile"))
        metadata = MessageMetadata("c-1", None, 0, "text/plain")
        await runtime.call_handle_callback(handle, message(b"data", metadata))
        expected = b"content-type text/plain\ncorrelation-id c-1\nsender host/tests/0\npayload\ndata"
        assert expected == await answer(runtime, handle, b"last-callback")

    async def test_an_err_is_the_guests_answer_and_no_crash(
        self, runtime: RuntimeEngine, caplog: pytest.LogCaptureFixture
    ) -> None:
        """With case and text; the next message is handled by the same instance."""
        handle = await runtime.load_component(GUEST, binary("hostile"))
        with pytest.raises(GuestError) as caught:
            await answer(runtime, handle, b"err resource-limit-exceeded too much")
        assert ("resource-limit-exceeded", "too much") == (caught.value.case, caught.value.text)
        with pytest.raises(GuestError, match="runtime-error: no"):
            await runtime.call_handle_callback(handle, message(b"err no"))
        assert b"2" == await answer(runtime, handle, b"count")
        caplog.clear()  # a record with the error in it would keep the guest

    async def test_a_trap_is_told_to_the_caller(self, runtime: RuntimeEngine) -> None:
        """As itself or as the cause of what is raised."""
        handle = await runtime.load_component(GUEST, binary("hostile"))
        with pytest.raises(AirssysError) as caught:
            await answer(runtime, handle, b"trap")
        trap = caught.value if isinstance(caught.value, Trap) else caught.value.__cause__
        assert isinstance(trap, Trap)
        assert "unreachable" == trap.code
        assert str(trap).startswith("Execution error: ")

    async def test_unloading_twice_or_what_was_never_loaded_is_silent(self, runtime: RuntimeEngine) -> None:
        """By handle."""
        handle = await runtime.load_component(GUEST, binary("echo"))
        for known in (handle, handle, ComponentHandle(GUEST, 99), ComponentHandle(OTHER, 1)):
            await runtime.unload_component(known)

    @pytest.mark.parametrize("unloaded", [True, False])
    async def test_an_unknown_handle_is_named(self, runtime: RuntimeEngine, unloaded: bool) -> None:
        """Never loaded, or not any more; the other component of the same id does not answer for it."""
        handle = await runtime.load_component(GUEST, binary("echo"))
        await runtime.load_component(GUEST, binary("echo"))
        if unloaded:
            await runtime.unload_component(handle)
        else:
            handle = ComponentHandle(GUEST, 99)
        for call in (runtime.call_handle_message, runtime.call_handle_callback):
            with pytest.raises(ComponentNotFound, match="Component not found: demo/guest/0"):
                await call(handle, message())

    async def test_a_component_that_cannot_be_linked_is_told(self, runtime: RuntimeEngine) -> None:
        """With the import that nobody provides."""
        with pytest.raises(InstantiationFailed, match=r"^Instantiation failed: .*other:pkg/thing"):
            await runtime.load_component(GUEST, wat.unknown_import("other:pkg/thing"))

    async def test_a_component_that_traps_in_initialize_is_not_loaded(self, runtime: RuntimeEngine) -> None:
        """Every function of this one traps; the id is in the text and the trap is the cause."""
        with pytest.raises(InstantiationFailed, match=r"^Instantiation failed: demo/guest/0: ") as caught:
            await runtime.load_component(GUEST, wat.lifecycle())
        assert isinstance(caught.value.__cause__, Trap)

    async def test_what_is_no_component_is_told(self, runtime: RuntimeEngine) -> None:
        """Bytes, a core module, a component of another shape."""
        for data in (b"", b"text", wat.CORE_MODULE):
            with pytest.raises(InvalidComponent):
                await runtime.load_component(GUEST, data)
        with pytest.raises(ExportNotFound):
            await runtime.load_component(GUEST, wat.missing_export("health"))

    async def test_after_a_failed_load_the_next_one_works(self, runtime: RuntimeEngine) -> None:
        """Nothing is left of it."""
        with pytest.raises(InstantiationFailed):
            await runtime.load_component(GUEST, wat.lifecycle())
        handle = await runtime.load_component(GUEST, binary("echo"))
        assert b"fine" == await answer(runtime, handle, b"fine")
