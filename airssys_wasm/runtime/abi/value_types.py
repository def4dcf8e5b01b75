"""Passes over the types of values and of functions in a component's binary, to what follows them (pure).

Source: https://github.com/WebAssembly/component-model/blob/main/design/mvp/Binary.md
"""

from typing import Final

from airssys_wasm.runtime.abi.binary import Reader, Unrecognised

FUNCTION: Final = 0x40

_PRIMITIVES: Final = {0x64, *range(0x73, 0x80)}
_PARTS: Final = {
    FUNCTION: "*nt",
    0x72: "*nt",  # record
    0x71: "*n??",  # variant
    0x70: "t",  # list
    0x6F: "*t",  # tuple
    0x6E: "*n",  # flags
    0x6D: "*n",  # enum
    0x6B: "t",  # option
    0x6A: "??",  # result
    0x69: "t",  # own
    0x68: "t",  # borrow
    0x67: "tt",  # list of a fixed length
    0x66: "?",  # stream
    0x65: "?",  # future
    0x63: "tt",  # map
}
"""What follows a type's code: n a name, t a type or a number, ? a type if there is one, after * any number of times."""


def pass_over_type(reader: Reader, code: int) -> int:
    """Pass over what follows the code of a type; returns how many parts it has.

    Raises:
        Unrecognised: There is no such type.
    """
    if code in _PRIMITIVES:
        return 1
    parts = _PARTS.get(code)
    if parts is None:
        raise Unrecognised(f"type {code:#x}")
    times = reader.count() if parts[0] == "*" else 1
    for _ in range(times):
        _pass_over_parts(reader, parts.lstrip("*"))
    if code == FUNCTION:
        _pass_over_result(reader)
    return 1 + times


def _pass_over_parts(reader: Reader, parts: str) -> None:
    for part in parts:
        if part == "n":
            reader.name()
        elif part == "t" or reader.byte():
            reader.number()


def _pass_over_result(reader: Reader) -> None:
    """A type behind a 0; 1 and another 0 for none."""
    if reader.byte():
        reader.byte()
    else:
        reader.number()
