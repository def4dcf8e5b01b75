"""Reads what a component's sections define: how many of each sort, named core functions, and lifts (pure).

Only what is needed to append to a component is read; whatever is not known is `Unrecognised`.

Source: https://github.com/WebAssembly/component-model/blob/main/design/mvp/Binary.md
"""

import itertools
from collections import Counter
from typing import Final, final

import attrs

from airssys_wasm.runtime.abi.binary import (
    ALIAS,
    CANON,
    CORE_INSTANCE,
    CORE_MODULE,
    EXPORT,
    HEADER_BYTES,
    IMPORT,
    TYPE,
    Reader,
    Unrecognised,
    sections_of,
)

UTF8, MEMORY, REALLOC, POST_RETURN = 0, 3, 4, 5
"""Canonical options. UTF-8 goes without saying; 1 and 2 are other encodings, and above 5 are asynchronous functions."""


@attrs.frozen
class Lift:
    """One `canon lift`: the core function, and its options by their codes."""

    function: int
    options: dict[int, int]


@final
@attrs.define
class Outline:
    """What a component's sections define: the sizes of its index spaces, its named core functions, its lifts."""

    sizes: Counter[str] = attrs.field(factory=Counter)
    functions: dict[bytes, list[int]] = attrs.field(factory=dict)
    lifts: dict[int, list[Lift]] = attrs.field(factory=dict)

    def lift_of(self, name: str) -> Lift:
        """The only lift of the only core function of that name, if it is lifted as expected."""
        functions = self.functions.get(name.encode(), [])
        lifts = self.lifts.get(functions[0], []) if len(functions) == 1 else []
        if len(lifts) != 1 or lifts[0].options.keys() | {UTF8} != {UTF8, MEMORY, REALLOC, POST_RETURN}:
            raise Unrecognised(f"{len(functions)} core functions {name}, lifted by {lifts}")
        return lifts[0]


def outline_of(data: bytes, tail: bytes = b"") -> Outline:
    """What a component's binary defines, with sections that are to be appended.

    Raises:
        Unrecognised: There is something in it that is not known here.
    """
    outline = Outline()
    for kind, section in itertools.chain(sections_of(Reader(data, HEADER_BYTES)), sections_of(Reader(tail))):
        if kind in _READERS:
            _READERS[kind](section, outline)
    return outline


def _core_module(_module: Reader, outline: Outline) -> None:
    outline.sizes["core module"] += 1


def _core_instances(reader: Reader, outline: Outline) -> None:
    outline.sizes["core instance"] += reader.number()


def _types(reader: Reader, outline: Outline) -> None:
    outline.sizes["type"] += reader.number()


def _aliases(reader: Reader, outline: Outline) -> None:
    for _ in range(reader.count()):
        sort, outer = reader.sort(), reader.byte() == 2  # noqa: PLR2004 - 0 and 1: an export of an instance
        reader.number()
        if outer:
            reader.number()
        elif sort == "core func":
            outline.functions.setdefault(reader.name(), []).append(outline.sizes[sort])
        else:
            reader.name()
        outline.sizes[sort] += 1


def _canons(reader: Reader, outline: Outline) -> None:
    for _ in range(reader.count()):
        kind = reader.byte()
        if kind <= 1 and reader.byte():
            raise Unrecognised("a lift or lower of another kind")
        index = reader.number()
        if kind == 0:
            outline.lifts.setdefault(index, []).append(Lift(index, _options(reader)))
            reader.number()  # its type
            outline.sizes["func"] += 1
            continue
        if kind == 1:
            _options(reader)
        elif kind > 4:  # noqa: PLR2004 - 2, 3 and 4: resource.new, resource.drop, resource.rep
            raise Unrecognised(f"canonical function {kind:#x}")
        outline.sizes["core func"] += 1


def _options(reader: Reader) -> dict[int, int]:
    codes: dict[int, int] = {}
    for _ in range(reader.count()):
        code = reader.byte()
        if code > POST_RETURN:
            raise Unrecognised(f"canonical option {code:#x}")
        codes[code] = reader.number() if code >= MEMORY else 0
    return codes


def _imports(reader: Reader, outline: Outline) -> None:
    for _ in range(reader.count()):
        reader.extern_name()
        outline.sizes[reader.extern_type()[0]] += 1


def _exports(reader: Reader, outline: Outline) -> None:
    for _ in range(reader.count()):
        reader.extern_name()
        sort = reader.sort()
        reader.number()
        if reader.byte():
            reader.extern_type()
        outline.sizes[sort] += 1


_READERS: Final = {
    CORE_MODULE: _core_module,
    CORE_INSTANCE: _core_instances,
    ALIAS: _aliases,
    TYPE: _types,
    CANON: _canons,
    IMPORT: _imports,
    EXPORT: _exports,
}
