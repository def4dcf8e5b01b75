"""Parameters of WIT that are named like the settings of a call, or like anything else on the way there."""

import asyncio
from collections.abc import AsyncIterator
from typing import Final

import pytest

from airssys_wasm import ActorHandle, ActorSystem, BadType, ComponentId, Limits, RequestTimeout
from airssys_wasm.runtime.wat import assemble

ID: Final = ComponentId("demo", "named", "0")
API: Final = "my:app/api"
NAMES: Final = ("timeout", "interrupt", "raise-err", "self", "interface", "function", "named", "arguments", "child")
ARGUMENTS: Final = {name.replace("-", "_"): 1 << at for at, name in enumerate(NAMES)}
SUM: Final = "(local.get 0)" + "".join(f" (local.get {at}) i32.add" for at in range(1, len(NAMES)))
PARAMS: Final = " ".join(f'(param "{name}" u32)' for name in NAMES)

NAMED: Final = f"""(component
  (core module $m (func (export "sum") (param {"i32 " * len(NAMES)}) (result i32) {SUM})
    (func (export "loop") (param i32) (loop (br 0))))
  (core instance $i (instantiate $m))
  (func $sum {PARAMS} (result u32) (canon lift (core func $i "sum")))
  (func $loop (param "timeout" u32) (canon lift (core func $i "loop")))
  (instance $api (export "sum" (func $sum)) (export "loop" (func $loop)))
  (export "{API}@1.0.0" (instance $api)))"""


@pytest.fixture
async def guest() -> AsyncIterator[ActorHandle]:
    """A component that adds up whatever its arguments are named."""
    async with ActorSystem() as system:
        yield await system.load(ID, assemble(NAMED), limits=Limits(max_execution_time=20))


async def test_every_name_is_an_arguments_and_none_a_settings(guest: ActorHandle) -> None:
    """By proxies and by `call`, by name and by position."""
    expected = (1 << len(NAMES)) - 1
    assert expected == await guest[API].sum(**ARGUMENTS)
    assert expected == await guest.interface(API, timeout=9).sum(**ARGUMENTS)
    assert expected == await guest.call(API, "sum", named=ARGUMENTS)
    assert expected == await guest.call(API, "sum", *ARGUMENTS.values(), timeout=9)


async def test_arguments_that_others_chose_do_not_move_the_deadline(guest: ActorHandle) -> None:
    """The call ends when its caller said, though an argument says otherwise, and the guest is stopped."""
    impatient = guest.interface(API, timeout=0.05, interrupt=True)
    async with asyncio.timeout(15):
        with pytest.raises(RequestTimeout):
            await impatient.loop(timeout=1 << 30)
        with pytest.raises(RequestTimeout):
            await guest.call(API, "loop", named={"timeout": 1 << 30}, timeout=0.05, interrupt=True)


async def test_a_setting_that_is_no_parameter_is_refused_as_an_argument(guest: ActorHandle) -> None:
    """Like any other name that the function does not have."""
    with pytest.raises(BadType, match=r"params\.interrupt: is no parameter"):
        await guest.interface(API, timeout=9).loop(1, interrupt=True)
    with pytest.raises(TypeError, match="unexpected keyword"):
        await guest.call(API, "loop", 1, name="Ada")  # type: ignore[call-arg]


async def test_generated_types_have_room_for_a_parameter_named_self() -> None:
    """A method of Python's has one of its own."""
    async with ActorSystem() as system:
        module = (await system.inspect(assemble(NAMED))).python
    assert "async def sum(self, timeout: " in module
    assert "raise_err, self_, interface" in module
    compile(module, "named.py", "exec")
