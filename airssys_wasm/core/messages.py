"""What is sent: payloads, metadata, messages (pure)."""

from typing import Final

import attrs

from airssys_wasm.core.errors import ConfigError
from airssys_wasm.core.ids import ComponentId

RESERVED_CONTENT_TYPE_PREFIX: Final = "application/x.airssys."
"""Content types of the runtime itself; nobody else may set one."""

CONTENT_TYPE_NONE: Final = RESERVED_CONTENT_TYPE_PREFIX + "none"
CONTENT_TYPE_ERROR: Final = RESERVED_CONTENT_TYPE_PREFIX + "error+json"
CONTENT_TYPE_FLUSH: Final = RESERVED_CONTENT_TYPE_PREFIX + "flush"
CONTENT_TYPE_SAVE_STATE: Final = RESERVED_CONTENT_TYPE_PREFIX + "save-state"
CONTENT_TYPE_LOAD_STATE: Final = RESERVED_CONTENT_TYPE_PREFIX + "load-state"
CONTENT_TYPE_CALL: Final = RESERVED_CONTENT_TYPE_PREFIX + "call"
"""Of what stands for a typed call among dead letters; the function follows behind a semicolon."""

FLUSH_OPERATION: Final = "flush"
"""A component that lists this operation in its metadata gets one flush message at the end of its inputs."""

SAVE_STATE_OPERATION: Final = "save-state"
LOAD_STATE_OPERATION: Final = "load-state"
"""When the old component of an upgrade lists the one and the new one the other, the state is handed over."""


def as_bytes(payload: object) -> bytes:
    """Take a payload as immutable bytes; bytes themselves are not copied.

    Raises:
        TypeError: It is none of bytes, bytearray, memoryview and MessagePayload (a str has to be encoded first).
    """
    if type(payload) is bytes:
        return payload
    if isinstance(payload, MessagePayload):
        return payload.data
    if isinstance(payload, bytes | bytearray | memoryview):
        return bytes(payload)
    msg = f"a payload is bytes, not {type(payload).__name__}" + ("; encode the str first" * isinstance(payload, str))
    raise TypeError(msg)


@attrs.frozen(repr=False)
class MessagePayload:
    """The bytes of a message, of any content; accepted wherever bytes are."""

    data: bytes = attrs.field(default=b"", converter=as_bytes)

    def __bytes__(self) -> bytes:
        return self.data

    def __len__(self) -> int:
        return len(self.data)

    def __repr__(self) -> str:
        return f"MessagePayload({len(self.data)} bytes)"


Payload = bytes | bytearray | memoryview | MessagePayload
"""What callers may pass as a payload."""


def check_content_type(content_type: str | None) -> str | None:
    """Refuse what host code may not set as a content type: the runtime's own prefix, and text no guest could read.

    Raises:
        ConfigError: The content type is reserved, or is not a str that can be encoded as UTF-8.
    """
    if content_type is None:
        return None
    if not isinstance(content_type, str):
        raise ConfigError("content_type", content_type, "is not a str")
    if content_type.startswith(RESERVED_CONTENT_TYPE_PREFIX):
        raise ConfigError(
            "content_type", content_type, f"is reserved: {RESERVED_CONTENT_TYPE_PREFIX}* is the runtime's"
        )
    if not content_type.isascii() and any("\ud800" <= character <= "\udfff" for character in content_type):
        raise ConfigError("content_type", content_type, "has a lone surrogate")
    return content_type


@attrs.frozen
class MessageMetadata:
    """What the runtime, not the sender, says about a message."""

    correlation_id: str | None = None
    reply_to: ComponentId | None = None
    timestamp_ms: int = 0
    content_type: str | None = None


def _as_payload(payload: Payload) -> MessagePayload:
    return payload if isinstance(payload, MessagePayload) else MessagePayload(payload)


@attrs.frozen
class ComponentMessage:
    """A message as a guest gets it: who sent it, its bytes, its metadata."""

    sender: ComponentId
    payload: MessagePayload = attrs.field(converter=_as_payload)
    metadata: MessageMetadata = MessageMetadata()
