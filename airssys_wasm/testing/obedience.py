"""What an obedient guest does: what its messages say.

| payload | the guest |
|---|---|
| `none` | answers none |
| `count` | answers "1", "2", … |
| `sleep 0.5` | waits that many seconds, then answers the payload |
| `hang` | waits until it is stopped, by its deadline if by nothing else |
| `wait` | waits until the test calls `resume(answer)` |
| `err text` | answers err(runtime-error(text)) |
| `trap` | traps |
| `bug` | raises what no guest may raise, as a broken host would |
| `huge 100` | answers that many bytes |
| `send a/b/0 text` | sends the text to that component |
| `version` | answers the version of its metadata |
| anything else | answers the payload |

Asked to save its state it answers how far it has counted, given a state it goes on counting from there; both only if
its metadata lists the operation, otherwise it is never asked.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Final

from airssys_wasm.core.errors import GuestError, Trap
from airssys_wasm.core.ids import ComponentId
from airssys_wasm.core.messages import CONTENT_TYPE_LOAD_STATE, CONTENT_TYPE_SAVE_STATE, ComponentMessage

if TYPE_CHECKING:
    from airssys_wasm.testing.guests import ScriptedGuest


async def obey(guest: "ScriptedGuest", message: ComponentMessage) -> bytes | None:
    """Do what the message says, as the table of this module has it."""
    payload, content_type = message.payload.data, message.metadata.content_type
    if content_type == CONTENT_TYPE_SAVE_STATE:
        return b"%d" % guest.count
    if content_type == CONTENT_TYPE_LOAD_STATE:
        guest.count = int(payload)
        return None
    word, _, rest = payload.partition(b" ")
    order = _ORDERS.get(word)
    return payload if order is None else await order(guest, rest)


async def _none(_guest: "ScriptedGuest", _rest: bytes) -> None:
    return None


async def _count(guest: "ScriptedGuest", _rest: bytes) -> bytes:
    guest.count += 1
    return b"%d" % guest.count


async def _version(guest: "ScriptedGuest", _rest: bytes) -> bytes:
    return guest.script.metadata.version.encode()


async def _sleep(guest: "ScriptedGuest", rest: bytes) -> bytes:
    await guest.pause(float(rest))
    return b"sleep " + rest


async def _wait(guest: "ScriptedGuest", _rest: bytes) -> bytes | None:
    return await guest.pause()


async def _err(_guest: "ScriptedGuest", rest: bytes) -> None:
    raise GuestError("runtime-error", rest.decode())


async def _trap(_guest: "ScriptedGuest", _rest: bytes) -> None:
    raise Trap("wasm `unreachable` instruction executed", "unreachable")


async def _bug(_guest: "ScriptedGuest", rest: bytes) -> None:
    raise LookupError(rest.decode())


async def _huge(_guest: "ScriptedGuest", rest: bytes) -> bytes:
    return bytes(int(rest))


async def _send(guest: "ScriptedGuest", rest: bytes) -> bytes | None:
    target, _, text = rest.partition(b" ")
    outbox, state = guest.state.outbox, guest.state
    if outbox is not None:
        to = ComponentId.parse(target.decode())
        await outbox.send(state.component_id, to, text, wait=state.limits.send_wait)
    return None


_ORDERS: Final[Mapping[bytes, Callable[["ScriptedGuest", bytes], Awaitable[bytes | None]]]] = {
    b"none": _none,
    b"count": _count,
    b"version": _version,
    b"sleep": _sleep,
    b"hang": _wait,
    b"wait": _wait,
    b"err": _err,
    b"trap": _trap,
    b"bug": _bug,
    b"huge": _huge,
    b"send": _send,
}
