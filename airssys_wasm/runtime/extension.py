"""Extending a component at load time, so that messages reach it as one block instead of value by value.

| a component | takes |
|---|---|
| lifted as wit-component does it | the byte path: extended by `abi/append.py` with the module of `abi/deliver.wat` |
| of another shape | the value path |
| that wasmtime refuses with the extension | the value path; its own validation has the last word |
| whose fuel is metered | the value path: the appended module would burn some of the guest's |

Both paths call the same functions of the guest, and nobody outside the runtime can tell which one it is but by time.
"""

import hashlib
from functools import cache

from wasmtime import wat2wasm

from airssys_wasm.runtime.abi.append import TAIL_VERSION, tail
from airssys_wasm.runtime.abi.planes import wat_source
from airssys_wasm.runtime.contract import LIFECYCLE


@cache
def deliver_module() -> bytes:
    """The module that is appended; assembled once, in a millisecond."""
    return bytes(wat2wasm(f"(module $airssys {wat_source('deliver.wat')} {wat_source('planes.wat')})"))


@cache
def extension_name() -> str:
    """What tells extended components apart in the compile cache: another module gives another name."""
    return f".bytes-{TAIL_VERSION}-{hashlib.sha256(deliver_module()).hexdigest()[:12]}"


def extension_of(data: bytes) -> bytes:
    """What to append to a component's binary.

    Raises:
        Unrecognised: Its shape is not known.
    """
    return tail(data, deliver_module(), f"{LIFECYCLE}#handle-message", f"{LIFECYCLE}#handle-callback")
