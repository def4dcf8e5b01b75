"""Reads and writes what a component's binary is made of: sections, vectors, names, numbers (pure).

Source: https://github.com/WebAssembly/component-model/blob/main/design/mvp/Binary.md
"""

from collections.abc import Iterator, Sequence
from typing import Final, final

import attrs

CORE_MODULE, CORE_INSTANCE, COMPONENT, INSTANCE, ALIAS, TYPE, CANON, IMPORT, EXPORT = 1, 2, 4, 5, 6, 7, 8, 10, 11
"""Numbers of sections."""

HEADER_BYTES: Final = 8
_START: Final = 9
_LAST: Final = EXPORT
_SORTS: Final = {1: "func", 3: "type", 4: "component", 5: "instance"}
_CORE_SORTS: Final = {0: "core func", 1: "core table", 2: "core memory", 3: "core global"} | {
    0x10: "core type",
    0x11: "core module",
    0x12: "core instance",
}
_U32_BITS: Final = 32
_SIGN: Final = 0x40
_MOST_ITEMS: Final = 100_000
"""In one section; an 18 MB Python guest has some thousand. Reading them must not take seconds."""

_MOST_NAME_BYTES: Final = 10_000
"""Some names are read again and again, and wasmtime itself refuses those of more than 100,000."""


class Unrecognised(Exception):
    """The component has a shape that nothing is appended to; the text says where."""


@final
@attrs.define
class Reader:
    """Reads a part of a binary, up to its end."""

    data: bytes
    at: int = 0
    end: int = attrs.field()

    @end.default
    def _end_of_data(self) -> int:
        return len(self.data)

    def byte(self) -> int:
        """The next byte."""
        if self.at >= self.end:
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

    def part(self, size: int) -> "Reader":
        """What is in the next so many bytes, which are passed over."""
        if size > self.end - self.at:
            raise Unrecognised("ends too early")
        self.at += size
        return Reader(self.data, self.at - size, self.at)

    def name(self) -> bytes:
        """Text behind its length, which need not be UTF-8."""
        size = self.number()
        if size > _MOST_NAME_BYTES:
            raise Unrecognised(f"a name of {size} bytes")
        part = self.part(size)
        return self.data[part.at : part.end]

    def extern_name(self) -> bytes:
        """The name of an import or an export."""
        if self.byte() > 1:
            raise Unrecognised("a name with more to it")
        return self.name()

    def sort(self) -> str:
        """What kind of thing an item is; those of core WebAssembly have a second byte."""
        kind = self.byte()
        sort = _SORTS.get(kind) if kind else _CORE_SORTS.get(self.byte())
        if sort is None:
            raise Unrecognised(f"sort {kind}")
        return sort

    def extern_type(self) -> tuple[str, int | None]:
        """What an import or an export is: its sort, and the index of its type; None for a new resource."""
        sort = self.sort()
        if sort == "type" and self.byte() == 1:
            return sort, None
        return sort, self.number()


def sections_of(reader: Reader) -> Iterator[tuple[int, Reader]]:
    """Kind and content of each section of a component, behind its header."""
    while reader.at < reader.end:
        kind, size = reader.byte(), reader.number()
        if kind > _LAST or kind == _START:
            raise Unrecognised(f"section {kind}")
        yield kind, reader.part(size)


def section(kind: int, content: bytes) -> bytes:
    """A section with its head."""
    return bytes([kind]) + number(len(content)) + content


def vector(items: Sequence[bytes]) -> bytes:
    """Items behind their number."""
    return number(len(items)) + b"".join(items)


def name(text: str | bytes) -> bytes:
    """A name behind its length."""
    encoded = text.encode() if isinstance(text, str) else text
    return number(len(encoded)) + encoded


def value_type(index: int) -> bytes:
    """The type of a value by its index: a signed LEB128, since below zero there are others."""
    encoded = number(index)
    if encoded[-1] & _SIGN:
        return encoded[:-1] + bytes([encoded[-1] | 0x80, 0])
    return encoded


def number(value: int) -> bytes:
    """An unsigned LEB128."""
    out = bytearray()
    while value > 0x7F:  # noqa: PLR2004 - seven bits a byte
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
