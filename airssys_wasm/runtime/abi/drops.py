"""Appends a function for each resource that a component exports, so that the host can drop one (pure).

wasmtime's C API drops a resource of a guest in Stores alone that never yield. What any caller may do is to call a
function; so the component gets, of each resource that it defines and exports, one that takes a handle and drops it:

    alias export <the exported instance> "counter" (type $counter)
    core func $drop = canon resource.drop $counter
    func "airssys-drop0" (param "handle" (own $counter)) = canon lift (core func $drop)

The resource's destructor runs inside that call like any code of the guest's. As in `append.py` all of it comes last, so
that no index changes.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from airssys_wasm.runtime.abi.binary import ALIAS, CANON, EXPORT, TYPE, name, number, section, value_type, vector
from airssys_wasm.runtime.abi.outline import outline_of
from airssys_wasm.runtime.abi.resources import Exported, resources_of

DROP: Final = "airssys-drop"
"""How the names of the functions begin; a number follows."""

HANDLE: Final = "handle"
"""The name of their parameter."""

DROPS_VERSION: Final = 1
"""Raise it with any change of what is appended; part of the compile cache's key."""

_TYPE_SORT, _FROM_INSTANCE, _RESOURCE_DROP, _LIFT, _OWN, _FUNCTION = b"\3", b"\0", b"\3", b"\0\0", b"\x69", b"\x40"


def drops_tail(data: bytes, tail: bytes = b"") -> bytes:
    """What to append to a component so that each resource that it defines and exports can be dropped; maybe nothing.

    Args:
        data: the component's binary.
        tail: what is appended to it before, which exports nothing but functions.

    Raises:
        Unrecognised: There is something in it that is not known here.
    """
    resources = resources_of(data)
    if not resources:
        return b""
    return b"".join(
        section(kind, vector(items)) for kind, items in _tail(outline_of(data, tail).sizes, resources) if items
    )


def _tail(sizes: Counter[str], resources: Sequence[Exported]) -> Iterator[tuple[int, list[bytes]]]:
    """The sections; `sizes` are the indexes of what each of them defines."""
    inside = [(of.name, of.instance) for of in resources if of.instance is not None]
    yield ALIAS, [_TYPE_SORT + _FROM_INSTANCE + number(instance) + name(local) for local, instance in inside]
    aliases = iter(range(sizes["type"], sizes["type"] + len(inside)))
    types = [number(next(aliases) if of.type is None else of.type) for of in resources]
    yield CANON, [_RESOURCE_DROP + of for of in types]
    numbers, first = range(len(resources)), sizes["type"] + len(inside)
    taking = [_FUNCTION + vector([name(HANDLE) + value_type(first + n)]) + b"\1\0" for n in numbers]
    yield TYPE, [_OWN + of for of in types] + taking
    functions = first + len(resources)
    yield CANON, [_LIFT + number(sizes["core func"] + n) + vector([]) + number(functions + n) for n in numbers]
    yield EXPORT, [b"\0" + name(f"{DROP}{n}") + b"\1" + number(sizes["func"] + n) + b"\0" for n in numbers]
