"""Extending a component at load time: messages reach it as one block, and the host can drop its resources.

| a component | takes |
|---|---|
| lifted as wit-component does it | the byte path: extended by `abi/append.py` with the module of `abi/deliver.wat` |
| of another shape | the value path |
| that wasmtime refuses with the extension | the value path; its own validation has the last word |
| whose fuel is metered | the value path: the appended module would burn some of the guest's |

Both paths call the same functions of the guest, and nobody outside the runtime can tell which one it is but by time.

Apart from that, one that exports resources of its own gets a function for each that drops it (`abi/drops.py`). Where
that is not recognised, or refused, its resources end with its instances alone, and whoever drops one is told so.
"""

import hashlib
import logging
from functools import cache
from typing import Final

from wasmtime import wat2wasm

from airssys_wasm.runtime.abi.append import TAIL_VERSION, tail
from airssys_wasm.runtime.abi.binary import Unrecognised
from airssys_wasm.runtime.abi.drops import DROPS_VERSION, drops_tail
from airssys_wasm.runtime.abi.planes import wat_source
from airssys_wasm.runtime.contract import LIFECYCLE

DROPS_NAME: Final = f".drops-{DROPS_VERSION}"
"""What tells components in the compile cache, all of them, from those that an older version extended or left alone."""

_logger: Final = logging.getLogger("airssys_wasm.runtime")


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


def drops_of(data: bytes, tail: bytes) -> bytes:
    """What to append to a binary, behind another tail, so that its resources can be dropped; maybe nothing."""
    try:
        return drops_tail(data, tail)
    except Unrecognised as exc:
        _logger.debug("resources of a component that cannot be dropped: %s", exc)
        return b""
