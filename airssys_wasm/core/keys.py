"""The key of a payload: which instance gets it, which waiting message it replaces (pure).

| `key = …` | the key is |
|---|---|
| `"json:user.id"` | the value at that path of a JSON object, a number in the path counts into an array |
| `"bytes:0:8"` | bytes 0 to 8 (exclusive) of the payload, as a Python slice; `"bytes:4:"` goes to the end |

A payload without its key (no JSON, no such field) has the empty key: all of those meet at one instance, and none
replaces another. The instance is the CRC-32 of the key modulo the number of instances: the same in every run and on
every machine.

JSON is read on the event loop, in some 1 ms for 64 KiB, and all of it has to be: whoever goes by a key in it takes no
larger payload (`PayloadTooLarge`).
"""

import json
import zlib
from typing import Final, Self, final

import attrs

from airssys_wasm.core.errors import ConfigError

MAX_JSON_BYTES: Final = 64 * 1024
"""Largest payload whose key is looked for in its JSON."""


@final
@attrs.frozen
class Key:
    """Where the key of a payload is: a JSON path, or a range of bytes when the path is None."""

    path: tuple[str, ...] | None = None
    start: int = 0
    stop: int | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `json:a.b` or `bytes:start:stop`.

        Raises:
            ConfigError: The text is neither, or the range is empty.
        """
        kind, _, rest = text.partition(":")
        if kind == "json":
            return cls(path=_path(text, rest))
        if kind == "bytes":
            return cls(None, *_range(text, rest))
        raise ConfigError("key", text, 'is neither "json:field" nor "bytes:start:stop"')

    def most_payload_bytes(self, most: int) -> int:
        """How large a payload may be, where it could be that large without a key."""
        return most if self.path is None else min(most, MAX_JSON_BYTES)

    def of(self, payload: bytes) -> bytes:
        """The key of one payload; empty when it has none."""
        return payload[self.start : self.stop] if self.path is None else _json_key(payload, self.path)

    def instance(self, payload: bytes, instances: int) -> int:
        """The number of the instance that this payload belongs to."""
        return zlib.crc32(self.of(payload)) % instances


def _path(text: str, rest: str) -> tuple[str, ...]:
    steps = tuple(rest.split("."))
    if not all(steps):
        raise ConfigError("key", text, 'has an empty step; write "json:field" or "json:outer.inner"')
    return steps


def _range(text: str, rest: str) -> tuple[int, int | None]:
    first, colon, last = rest.partition(":")
    if not (colon and _is_count(first) and (_is_count(last) or not last)):
        raise ConfigError("key", text, 'is no range of bytes; write "bytes:0:8" or "bytes:4:"')
    start, stop = int(first), int(last) if last else None
    if stop is not None and stop <= start:
        raise ConfigError("key", text, "is an empty range of bytes")
    return start, stop


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdecimal()


def _json_key(payload: bytes, path: tuple[str, ...]) -> bytes:
    if len(payload) > MAX_JSON_BYTES:
        return b""
    try:
        value = json.loads(payload)
        for step in path:
            value = value[int(step)] if isinstance(value, list) else value[step]
        return json.dumps(value, sort_keys=True).encode()
    except (ValueError, LookupError, TypeError, RecursionError):
        return b""
