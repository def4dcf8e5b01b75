"""The host's end of the byte path: a message as the arguments of `deliver`, and its answer read (`deliver.wat`).

A `list<u8>` crosses the C API as one value of 32 bytes for each byte, a `string` as one block. So messages for a
component that has been extended (`append.py`) cross as strings, and so do the answers. Both are always ASCII but for
the text of ids, correlation ids and content types, which is UTF-8: an answer that is not valid would cost the guest
its instance.

| payload | crosses | cost of a MiB there |
|---|---|---|
| ASCII | as it is: the call gets the address of the bytes object | none |
| other, below `HEX_BYTES` | in hexadecimal | it is never so long |
| other | in 7-bit planes (`planes.wat`) | 50 µs |

What does not fit a frame (`head` gives None) is for the value path to carry, or to refuse.
"""

from binascii import hexlify, unhexlify
from codecs import getincrementaldecoder
from struct import Struct
from typing import Final, final

import attrs

from airssys_wasm.core.calls import Err
from airssys_wasm.core.errors import Trap
from airssys_wasm.core.ids import ComponentId
from airssys_wasm.core.limits import KIB, Limits
from airssys_wasm.core.messages import ComponentMessage, MessageMetadata
from airssys_wasm.runtime.abi.capi import bytes_at
from airssys_wasm.runtime.abi.planes import Lease, PlanesPool, packed_chars
from airssys_wasm.runtime.abi.values import Keep, address_of

ARGUMENTS: Final = 9
"""Of `deliver`: the text, four numbers with the lengths of its parts, the payload, and three more numbers."""

HEX_BYTES: Final = 2 * KIB
"""From this size on planes are faster than hexadecimal."""

MAX_TEXT_BYTES: Final = 16 * KIB
"""Most bytes of ids, correlation id and content type together."""

KEPT_ERROR_BYTES: Final = 16 * KIB
"""Of an err's text that is over the payload limit, and over this."""

ERROR_CASES: Final = (
    "component-not-found",
    "instantiation-failed",
    "export-not-found",
    "timeout",
    "resource-limit-exceeded",
    "invalid-component",
    "runtime-error",
)
"""The cases of wasm-error in the order of the WIT."""

_NONE, _SOME, _TOO_LARGE, _TROUBLE, _FIRST_ERROR = range(5)
_ASCII, _HEX, _PLANES = range(3)
CALLBACK: Final = 4
"""The flag of what is for handle-callback."""

_CORRELATION, _REPLY_TO, _CONTENT_TYPE = 8, 16, 32

_HEAD: Final = Struct("<B7xQQ8x" + "B7xQ16x" * 4)
_REST: Final = Struct("<B7xQQ8x" + "B7xQ16x" * 3)
_STRING, _U64 = 12, 8
"""Kinds of component values."""

_ANSWER_HEAD_BYTES: Final = 8
_SOME_ASCII: Final = _SOME << 2 | _ASCII
_SOME_HEX: Final = _SOME << 2 | _HEX
_SHORT: Final = 8 * KIB
"""Answers up to this size are read with their head in one go."""

_PAGE: Final = 64 * KIB
_HIGH: Final = 32
_U64_END: Final = 2**64
_MAX_HEADS: Final = 1024

_TROUBLES: Final = (
    "none",
    "realloc return: result not aligned",
    "realloc return: beyond end of memory",
    "answer: pointer not aligned",
    "answer: pointer out of bounds of memory",
    "answer: invalid discriminant",
)
"""What breaks the canonical ABI, by the numbers of `deliver.wat`; wasmtime says so of the value path."""


@final
@attrs.frozen
class TooLarge:
    """An answer of so many bytes is over the limit and has not crossed."""

    payload_bytes: int


Answer = bytes | Err | TooLarge | None
"""What the guest answered: ok(some), err, an answer that is too large, ok(none)."""


@final
@attrs.frozen(eq=False)
class Head:
    """The first five arguments: the text, and the lengths of its parts."""

    image: bytes
    flags: int
    keep: tuple[object, ...]
    """The text, and what identifies the head."""


@final
class Frames:
    """Makes frames and reads answers, for the components of one engine; from any thread."""

    def __init__(self) -> None:
        self._planes = PlanesPool()
        self._heads: dict[tuple[int, int, str | None], Head] = {}

    def head(self, message: ComponentMessage) -> Head | None:
        """What all messages of one sender share, mostly made before; None when the message does not fit a frame."""
        sender, metadata = message.sender, message.metadata
        if not 0 <= metadata.timestamp_ms < _U64_END:
            return None
        key = (id(sender), id(metadata.reply_to), metadata.content_type)
        if metadata.correlation_id is not None:  # a new one each time
            return _new_head(sender, metadata)
        head = self._heads.get(key)
        if head is None:
            head = _new_head(sender, metadata)
            if head is not None:
                if len(self._heads) >= _MAX_HEADS:
                    self._heads.clear()
                self._heads[key] = head
        return head

    def lower(self, head: Head, message: ComponentMessage, flags: int, limit: int, keep: Keep) -> bytes:
        """The images of `deliver`'s arguments; `head` and `message` have to live as long as what is in `keep`.

        Args:
            head: what `head` gave for this message.
            message: what is to be delivered.
            flags: `CALLBACK` or 0.
            limit: most bytes of an answer; a longer one does not cross.
            keep: what has to live until wasmtime has copied the arguments, and be closed then.
        """
        data = message.payload.data
        flags |= head.flags
        if data.isascii():
            address, size = address_of(data), len(data)
        else:
            encoding, address, size = self._encoded(data, keep)
            flags |= encoding
        what = len(data) | flags << _HIGH
        return head.image + _REST.pack(
            _STRING, size, address, _U64, message.metadata.timestamp_ms, _U64, what, _U64, limit
        )

    def lift(self, address: int, size: int) -> Answer:
        """Read an answer.

        Raises:
            Trap: The guest's answer breaks the canonical ABI.
        """
        if size <= _SHORT:
            crossed = bytes_at(address, size)
            if crossed[0] == _SOME_ASCII:
                return crossed[_ANSWER_HEAD_BYTES:]
            if crossed[0] == _SOME_HEX:
                return unhexlify(crossed[_ANSWER_HEAD_BYTES:])
        if size < _ANSWER_HEAD_BYTES:  # never read what is not the answer's, whoever wrote it
            raise Trap("answer: shorter than its head", "invalid-answer")
        case, encoding, length = _head_of(bytes_at(address, _ANSWER_HEAD_BYTES))
        if case == _NONE:
            return None
        if case == _TOO_LARGE:
            return TooLarge(length)
        if case == _TROUBLE:
            raise Trap(_TROUBLES[length], "invalid-answer")
        body = self._decoded(encoding, address + _ANSWER_HEAD_BYTES, size - _ANSWER_HEAD_BYTES, length)
        return body if case == _SOME else _error(ERROR_CASES[case - _FIRST_ERROR], body, length)

    def _encoded(self, data: bytes, keep: Keep) -> tuple[int, int, int]:
        """Encoding, address and size of a payload that is not ASCII."""
        if len(data) < HEX_BYTES:
            digits = hexlify(data)
            keep.append(digits)
            return _HEX, address_of(digits), len(digits)
        lease = Lease(self._planes, self._planes.take())
        keep.append(lease)
        return _PLANES, *lease.planes.pack(data)

    def _decoded(self, encoding: int, address: int, size: int, length: int) -> bytes:
        """The payload or text of an answer."""
        if encoding == _ASCII:
            return bytes_at(address, size)
        if encoding == _HEX:
            return unhexlify(bytes_at(address, size))
        if packed_chars(length) != size:  # a text that was cut
            length = KEPT_ERROR_BYTES
        if packed_chars(length) != size:  # as above
            raise Trap("answer: a body of another length than its head says", "invalid-answer")
        planes = self._planes.take()
        try:
            return planes.unpack(address, length)
        finally:
            self._planes.give_back(planes)


def room_for(limits: Limits) -> int:
    """Bytes that the appended module's memory may grow to; the guest's own memory is bounded by itself."""
    most = max(limits.max_payload_bytes, KEPT_ERROR_BYTES)
    return _PAGE + -(-(packed_chars(most) + MAX_TEXT_BYTES) // _PAGE) * _PAGE


def _new_head(sender: ComponentId, metadata: MessageMetadata) -> Head | None:
    reply_to = metadata.reply_to
    parts = (
        sender.namespace,
        sender.name,
        sender.instance,
        metadata.correlation_id or "",
        *(("", "", "") if reply_to is None else (reply_to.namespace, reply_to.name, reply_to.instance)),
        metadata.content_type or "",
    )
    try:
        encoded = [part.encode() for part in parts]
    except UnicodeEncodeError:
        return None
    text = b"".join(encoded)
    if len(text) > MAX_TEXT_BYTES:
        return None
    sizes = list(map(len, encoded))
    lengths = [low | high << _HIGH for low, high in zip(sizes[::2], sizes[1::2], strict=True)]
    image = _HEAD.pack(_STRING, len(text), address_of(text), *(word for pair in lengths for word in (_U64, pair)))
    flags = _CORRELATION * (metadata.correlation_id is not None) | _REPLY_TO * (reply_to is not None)
    return Head(image, flags | _CONTENT_TYPE * (metadata.content_type is not None), (text, sender, reply_to))


def _head_of(head: bytes) -> tuple[int, int, int]:
    """Case, encoding and length."""
    length = 0
    for digit in reversed(head[1:6]):
        length = length << 7 | digit
    return head[0] >> 2, head[0] & 3, length


def _error(case: str, text: bytes, length: int) -> Err:
    whole = len(text) == length
    try:
        shown = getincrementaldecoder("utf-8")().decode(text, final=whole)
    except UnicodeDecodeError as exc:
        raise Trap(f"answer: invalid utf-8 in the text of an err: {exc.reason}", "invalid-answer") from None
    return Err((case, None if case == "timeout" else shown if whole else f"{shown}… ({length} bytes)"))
