"""Appends sections to a component's binary, so that one more function is lifted from what it lifts already (pure).

What is appended comes last, so no index in the component changes. Needed are the sizes of its index spaces and the
lifts of the functions for messages and callbacks, which wit-component writes like this:

    alias core export … "airssys:core/component-lifecycle@1.0.0#handle-message"
    canon lift of that core function, with memory, realloc, post-return and string-encoding=utf8

The tail is the module; an instance of what those lifts name; an instance of the module, which imports it; aliases of
what the module exports; the type of the new function; its lift; its export. A component of another shape is left alone.

Source: https://github.com/WebAssembly/component-model/blob/main/design/mvp/Binary.md
"""

from collections import Counter
from collections.abc import Iterator
from typing import Final

from airssys_wasm.runtime.abi.binary import (
    ALIAS,
    CANON,
    CORE_INSTANCE,
    CORE_MODULE,
    EXPORT,
    TYPE,
    Unrecognised,
    name,
    number,
    section,
    vector,
)
from airssys_wasm.runtime.abi.outline import MEMORY, POST_RETURN, REALLOC, UTF8, Lift, outline_of

DELIVER: Final = "airssys-deliver"
"""The name under which an extended component exports the function."""

_PARAMS: Final = {
    "text": "string",
    "lengths1": "u64",
    "lengths2": "u64",
    "lengths3": "u64",
    "lengths4": "u64",
    "payload": "string",
    "sent": "u64",
    "what": "u64",
    "limit": "u64",
}
"""The function's parameters, which `deliver.wat` describes; it answers a string."""

TAIL_VERSION: Final = 1
"""Raise it with any change of what is appended beside the module; part of the compile cache's key."""

_VALUE_TYPES: Final = {"string": b"\x73", "u64": b"\x77"}


def tail(data: bytes, module: bytes, message: str, callback: str) -> bytes:
    """What to append to a component so that it exports `DELIVER`.

    Args:
        data: the component's binary.
        module: the core module to append, `deliver.wat`.
        message: the name of the core function that takes messages.
        callback: the name of the one that takes callbacks.

    Raises:
        Unrecognised: It has another shape.
    """
    outline = outline_of(data)
    lifts = outline.lift_of(message), outline.lift_of(callback)
    if any(lifts[0].options[shared] != lifts[1].options[shared] for shared in (MEMORY, REALLOC)):
        raise Unrecognised("messages and callbacks are in two memories")
    return b"".join(section(kind, content) for kind, content in _tail(outline.sizes, module, *lifts))


def _tail(sizes: Counter[str], module: bytes, message: Lift, callback: Lift) -> Iterator[tuple[int, bytes]]:
    """The sections; `sizes` are the indexes of what each of them defines."""
    yield CORE_MODULE, module
    guest, appended = sizes["core instance"], sizes["core instance"] + 1
    needs = [
        name("memory") + b"\2" + number(message.options[MEMORY]),
        name("realloc") + b"\0" + number(message.options[REALLOC]),
        name("handle-message") + b"\0" + number(message.function),
        name("handle-callback") + b"\0" + number(callback.function),
        name("post-message") + b"\0" + number(message.options[POST_RETURN]),
        name("post-callback") + b"\0" + number(callback.options[POST_RETURN]),
    ]
    given = vector([name("guest") + b"\x12" + number(guest)])
    yield CORE_INSTANCE, vector([b"\1" + vector(needs), b"\0" + number(sizes["core module"]) + given])
    exports = [(b"\0\2", "memory"), (b"\0\0", "deliver"), (b"\0\0", "realloc"), (b"\0\0", "post")]
    yield ALIAS, vector([sort + b"\1" + number(appended) + name(what) for sort, what in exports])
    params = [name(param) + _VALUE_TYPES[of] for param, of in _PARAMS.items()]
    yield TYPE, vector([b"\x40" + vector(params) + b"\0" + _VALUE_TYPES["string"]])
    deliver = sizes["core func"]
    options = [
        bytes([UTF8]),
        bytes([MEMORY]) + number(sizes["core memory"]),
        bytes([REALLOC]) + number(deliver + 1),
        bytes([POST_RETURN]) + number(deliver + 2),
    ]
    yield CANON, vector([b"\0\0" + number(deliver) + vector(options) + number(sizes["type"])])
    yield EXPORT, vector([b"\0" + name(DELIVER) + b"\1" + number(sizes["func"]) + b"\0"])
