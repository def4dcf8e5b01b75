"""Between the values of the contract and ours: ids, messages, metadata, and errors both ways (pure).

The error tables here are the only place where our errors become cases of the WIT variants.
"""

from collections.abc import Callable
from typing import Any, Final

from airssys_wasm.core.calls import Err, Ok
from airssys_wasm.core.config import ComponentConfig
from airssys_wasm.core.errors import (
    ActorStopped,
    AirssysError,
    CapabilityDenied,
    GuestError,
    InvalidId,
    MailboxFull,
    PayloadTooLarge,
    PolicyViolation,
    RequestTimeout,
    TargetNotFound,
)
from airssys_wasm.core.ids import ComponentId
from airssys_wasm.core.limits import Limits
from airssys_wasm.core.messages import ComponentMessage
from airssys_wasm.core.ports import ComponentMetadata
from airssys_wasm.core.storage import InvalidKey, QuotaExceeded, StorageUnavailable
from airssys_wasm.runtime.abi.values import Value

WitId = tuple[str, str, str]
WitCase = tuple[str, Any]

MAX_ERROR_CHARS: Final = 4096
"""Of the text of a guest's err, as many as of a log line."""

MAX_METADATA_CHARS: Final = 1024
MAX_OPERATIONS: Final = 256
"""Of a component's metadata: characters of each text, and operations."""

_U64_MAX: Final = 2**64 - 1


def id_to_wit(component: ComponentId) -> WitId:
    """A component-id record."""
    return (component.namespace, component.name, component.instance)


def id_from_wit(value: WitId) -> ComponentId:
    """Read a component-id; raises InvalidId, since a guest may put anything there."""
    return ComponentId(*value)


def timestamp_to_wit(nanoseconds: int) -> tuple[int, int]:
    """A timestamp record from nanoseconds since the epoch."""
    return divmod(nanoseconds, 1_000_000_000)


def message_to_wit(message: ComponentMessage) -> tuple[Value, ...]:
    """A component-message record."""
    metadata = message.metadata
    reply_to = metadata.reply_to
    seconds, milliseconds = divmod(metadata.timestamp_ms, 1000)
    return (
        id_to_wit(message.sender),
        message.payload.data,
        (
            metadata.correlation_id,
            None if reply_to is None else id_to_wit(reply_to),
            (seconds, milliseconds * 1_000_000),
            metadata.content_type,
        ),
    )


def config_to_wit(config: ComponentConfig, limits: Limits) -> tuple[Value, ...]:
    """A component-config record; times in whole milliseconds, at least 1."""
    milliseconds = min(max(1, round(limits.max_execution_time * 1000)), _U64_MAX)
    return (list(config.env), config.data, (limits.max_memory_bytes, milliseconds, limits.max_fuel))


def metadata_from_wit(value: tuple[Any, ...]) -> ComponentMetadata:
    """Read a component-metadata record."""
    *texts, operations, stateful = value
    name, version, description, author, licence = (cut(text, MAX_METADATA_CHARS) for text in texts)
    known = tuple(cut(operation, MAX_METADATA_CHARS) for operation in operations[:MAX_OPERATIONS])
    return ComponentMetadata(name, version, description, author, licence, known, stateful)


def cut(text: str, limit: int) -> str:
    """A guest's text as far as anybody is going to read it; it goes into logs, errors and statistics."""
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text)} characters)"


def unwrap(result: Ok | Err) -> Any:
    """The good half of a result.

    Raises:
        GuestError: It was the bad half; case and text are the guest's.
    """
    if isinstance(result, Ok):
        return result.value
    case, text = result.value
    raise GuestError(case, "" if text is None else cut(text, MAX_ERROR_CHARS))


def _text(error: AirssysError) -> Any:
    return str(error)


def _stopped(error: Any) -> Any:
    """Without the reason, which may hold the target's own words."""
    return f"{error.component} has stopped"


def _target(error: Any) -> Any:
    return id_to_wit(error.component)


MESSAGING_ERRORS: Final[dict[type[AirssysError], tuple[str, Callable[[Any], Any] | None]]] = {
    TargetNotFound: ("target-not-found", _target),
    MailboxFull: ("queue-full", None),
    CapabilityDenied: ("delivery-failed", _text),
    PolicyViolation: ("delivery-failed", _text),
    ActorStopped: ("delivery-failed", _stopped),
    PayloadTooLarge: ("invalid-message", _text),
    InvalidId: ("invalid-message", _text),
    RequestTimeout: ("correlation-timeout", _text),
}
"""Why a message was not accepted, as a case of messaging-error and what its value is made of."""


def messaging_error(error: AirssysError) -> WitCase:
    """The messaging-error for an error of ours or its parent; delivery-failed for one the table does not name."""
    rows = (MESSAGING_ERRORS[cls] for cls in type(error).__mro__ if cls in MESSAGING_ERRORS)
    case, value = next(rows, ("delivery-failed", _text))
    return (case, value(error) if value else None)


def _reason(error: Any) -> Any:
    return f"storage is unavailable: {error.reason}"


def _permission_denied(_error: AirssysError) -> Any:
    return "permission denied"


STORAGE_ERRORS: Final[dict[type[AirssysError], tuple[str, Callable[[Any], Any] | None]]] = {
    InvalidKey: ("invalid-key", _text),
    QuotaExceeded: ("quota-exceeded", None),
    StorageUnavailable: ("io-error", _reason),
    CapabilityDenied: ("io-error", _permission_denied),
    PolicyViolation: ("io-error", _permission_denied),
}
"""Why an operation on storage did not happen, as a case of storage-error; no text names a file of the host's."""


def storage_error(error: AirssysError) -> WitCase:
    """The storage-error for an error of ours; io-error without a reason for one the table does not name."""
    case, value = STORAGE_ERRORS.get(type(error), ("io-error", lambda _: "storage failed"))
    return (case, value(error) if value else None)
