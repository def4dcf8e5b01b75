"""Reads what a component's sections define: how many of each sort, named core functions, and lifts (pure).

Only what is needed to append to a component is read; whatever is not known is `Unrecognised`.

Source: https://github.com/WebAssembly/component-model/blob/main/design/mvp/Binary.md
"""

from collections import Counter
from collections.abc import Iterator
from typing import Final, final

import attrs

CORE_MODULE, CORE_INSTANCE, ALIAS, TYPE, CANON, IMPORT, EXPORT = 1, 2, 6, 7, 8, 10, 11
"""Numbers of sections."""

UTF8, MEMORY, REALLOC, POST_RETURN = 0, 3, 4, 5
"""Canonical options. UTF-8 goes without saying; 1 and 2 are other encodings, and above 5 are asynchronous functions."""

_HEADER_BYTES: Final = 8
_START: Final = 9
_LAST: Final = EXPORT
_SORTS: Final = {1: "func", 3: "type", 4: "component", 5: "instance"}
_CORE_SORTS: Final = {0: "core func", 1: "core table", 2: "core memory", 3: "core global"} | {
    0x10: "core type",
    0x11: "core module",
    0x12: "core instance",
}
_U32_BITS: Final = 32
_MOST_ITEMS: Final = 100_000
"""In one section; an 18 MB Python guest has some thousand. Reading them must not take seconds."""


class Unrecognised(Exception):
    """The component has a shape that nothing is appended to; the text says where."""


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


@final
@attrs.define
class _Reader:
    """Reads what stands in a section, from its start."""

    data: bytes
    at: int = 0

    def byte(self) -> int:
        if self.at >= len(self.data):
            raise Unrecognised("ends too early")
        self.at += 1
        return self.data[self.at - 1]

    def number(self) -> int:
        """An unsigned LEB128 of at most 32 bits."""
        value = 0
        for shift in range(0, _U32_BITS, 7):
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            if not byte & 0x80:
                return value
        raise Unrecognised("a number of more than 32 bits")

    def count(self) -> int:
        """How many items follow."""
        count = self.number()
        if count > _MOST_ITEMS:
            raise Unrecognised(f"{count} items in a section")
        return count

    def skip(self, size: int) -> bytes:
        self.at += size
        if self.at > len(self.data):
            raise Unrecognised("ends too early")
        return self.data[self.at - size : self.at]

    def name(self) -> bytes:
        return self.skip(self.number())

    def sort(self) -> str:
        """What kind of thing an item is; those of core WebAssembly have a second byte."""
        kind = self.byte()
        sort = _SORTS.get(kind) if kind else _CORE_SORTS.get(self.byte())
        if sort is None:
            raise Unrecognised(f"sort {kind}")
        return sort


def outline_of(data: bytes) -> Outline:
    """What a component's binary defines.

    Raises:
        Unrecognised: There is something in it that is not known here.
    """
    outline = Outline()
    for kind, section in _sections(data):
        _READERS[kind](_Reader(section), outline)
    return outline


def _sections(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Kind and content of each section that defines something which is counted; a module's content is its own."""
    reader = _Reader(data, _HEADER_BYTES)
    while reader.at < len(data):
        kind, size = reader.byte(), reader.number()
        if kind > _LAST or kind == _START:
            raise Unrecognised(f"section {kind}")
        start = reader.at
        if size > len(data) - start:
            raise Unrecognised("ends too early")
        reader.at += size
        if kind in _READERS:
            yield kind, b"" if kind == CORE_MODULE else data[start : start + size]


def _core_module(_reader: _Reader, outline: Outline) -> None:
    outline.sizes["core module"] += 1


def _core_instances(reader: _Reader, outline: Outline) -> None:
    outline.sizes["core instance"] += reader.number()


def _types(reader: _Reader, outline: Outline) -> None:
    outline.sizes["type"] += reader.number()


def _aliases(reader: _Reader, outline: Outline) -> None:
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


def _canons(reader: _Reader, outline: Outline) -> None:
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


def _options(reader: _Reader) -> dict[int, int]:
    codes: dict[int, int] = {}
    for _ in range(reader.count()):
        code = reader.byte()
        if code > POST_RETURN:
            raise Unrecognised(f"canonical option {code:#x}")
        codes[code] = reader.number() if code >= MEMORY else 0
    return codes


def _imports(reader: _Reader, outline: Outline) -> None:
    for _ in range(reader.count()):
        _extern_name(reader)
        outline.sizes[_extern_type(reader)] += 1


def _exports(reader: _Reader, outline: Outline) -> None:
    for _ in range(reader.count()):
        _extern_name(reader)
        sort = reader.sort()
        reader.number()
        if reader.byte():
            _extern_type(reader)
        outline.sizes[sort] += 1


def _extern_name(reader: _Reader) -> None:
    if reader.byte() > 1:
        raise Unrecognised("a name with more to it")
    reader.name()


def _extern_type(reader: _Reader) -> str:
    sort = reader.sort()
    if sort == "type" and reader.byte() == 1:  # a resource: no index follows
        return sort
    reader.number()
    return sort


_READERS: Final = {
    CORE_MODULE: _core_module,
    CORE_INSTANCE: _core_instances,
    ALIAS: _aliases,
    TYPE: _types,
    CANON: _canons,
    IMPORT: _imports,
    EXPORT: _exports,
}
