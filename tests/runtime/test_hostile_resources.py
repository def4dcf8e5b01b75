"""Binaries that are made to keep whoever looks for their resources busy: he gives up, and there are no drops."""

from typing import Final

import pytest

from airssys_wasm.runtime.abi.binary import EXPORT, INSTANCE, TYPE, Unrecognised, name, number, section, vector
from airssys_wasm.runtime.abi.resources import MAX_STEPS, resources_of
from airssys_wasm.runtime.extension import drops_of

HEADER: Final = b"\0asm\x0d\0\1\0"
_INSTANCE_SORT: Final = b"\5"


def nested(levels: int, *names: str) -> bytes:
    """Instances in each other, each with the one before it under all the names; the last is exported by its type."""
    types, instances = [b"\x42" + vector([])], [b"\1" + vector([])]
    for below in range(levels - 1):
        outer = b"\2\3\2" + number(1) + number(below)
        types.append(b"\x42" + vector([outer, *(b"\4\0" + name(of) + _INSTANCE_SORT + b"\0" for of in names)]))
        items = [b"\0" + name(of) + _INSTANCE_SORT + number(below) for of in names]
        instances.append(b"\1" + vector(items))
    last = _INSTANCE_SORT + number(levels - 1)
    exported = b"\0" + name("x") + last + b"\1" + last
    return (
        HEADER
        + section(TYPE, vector(types))
        + section(INSTANCE, vector(instances))
        + section(EXPORT, vector([exported]))
    )


def compared(count: int) -> bytes:
    """An empty instance, exported so many times by a type of so many names."""
    names = [b"\4\0" + name(f"n{at}") + b"\5\0" for at in range(count)]
    types = [b"\x42" + vector([]), b"\x42" + vector([b"\2\3\2\1\0", *names])]
    exports = [b"\0" + name(f"x{at}") + b"\5\0\1\5\1" for at in range(count)]
    return (
        HEADER + section(TYPE, vector(types)) + section(INSTANCE, vector([b"\1\0"])) + section(EXPORT, vector(exports))
    )


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (nested(40, "a", "b"), f"more than {MAX_STEPS} items"),
        (nested(3_000, "a"), "instances in each other"),
        (compared(5_000), f"more than {MAX_STEPS} items"),
        (HEADER + section(EXPORT, vector([b"\0" + name("n" * 20_000) + b"\3\0\0"])), "a name of 20000 bytes"),
    ],
    ids=["twice each", "deep", "often", "long"],
)
def test_what_takes_too_long_to_follow_is_not_recognised(data: bytes, what: str) -> None:
    """Before wasmtime has seen it: a few hundred bytes must not keep a thread for years, nor be more than refused."""
    with pytest.raises(Unrecognised, match=what):
        resources_of(data)
    assert b"" == drops_of(data, b"")


def test_what_does_not_is_followed() -> None:
    """Such instances are nothing bad by themselves."""
    assert [] == resources_of(nested(10, "a", "b"))
