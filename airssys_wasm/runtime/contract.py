"""The contract with guests, `airssys:core@1.0.0`, as types: what `airssys_wasm/wit/` says, for the codecs (pure).

A test compares every function here with the `.wit` files.
"""

from typing import Final

from airssys_wasm.runtime.abi.types import (
    BOOL,
    BYTES,
    STRING,
    U32,
    U64,
    EnumType,
    FuncType,
    ListType,
    OptionType,
    ResultType,
    TupleType,
    record,
    variant,
)

PACKAGE: Final = "airssys:core"
VERSION: Final = "1.0.0"

LIFECYCLE: Final = f"{PACKAGE}/component-lifecycle@{VERSION}"
MESSAGING: Final = f"{PACKAGE}/host-messaging@{VERSION}"
SERVICES: Final = f"{PACKAGE}/host-services@{VERSION}"
STORAGE: Final = f"{PACKAGE}/storage@{VERSION}"

COMPONENT_ID: Final = record(namespace=STRING, name=STRING, instance=STRING)
TIMESTAMP: Final = record(seconds=U64, nanoseconds=U32)
MESSAGE_METADATA: Final = record(
    correlation_id=OptionType(STRING),
    reply_to=OptionType(COMPONENT_ID),
    timestamp=TIMESTAMP,
    content_type=OptionType(STRING),
)
COMPONENT_MESSAGE: Final = record(sender=COMPONENT_ID, payload=BYTES, metadata=MESSAGE_METADATA)
RESOURCE_LIMITS: Final = record(max_memory_bytes=U64, max_execution_time_ms=U64, max_fuel=OptionType(U64))
COMPONENT_CONFIG: Final = record(
    env_vars=ListType(TupleType((STRING, STRING))),
    config_data=OptionType(BYTES),
    resource_limits=RESOURCE_LIMITS,
)
LOG_LEVEL: Final = EnumType(("trace", "debug", "info", "warn", "error"))
HEALTH_STATUS: Final = EnumType(("healthy", "degraded", "unhealthy", "unknown"))

WASM_ERROR: Final = variant(
    component_not_found=STRING,
    instantiation_failed=STRING,
    export_not_found=STRING,
    timeout=None,
    resource_limit_exceeded=STRING,
    invalid_component=STRING,
    runtime_error=STRING,
)
COMPONENT_ERROR: Final = variant(
    initialization_failed=STRING,
    already_initialized=None,
    not_initialized=None,
    shutdown_failed=STRING,
    invalid_state=STRING,
)
MESSAGING_ERROR: Final = variant(
    delivery_failed=STRING,
    correlation_timeout=STRING,
    invalid_message=STRING,
    queue_full=None,
    target_not_found=COMPONENT_ID,
)
STORAGE_ERROR: Final = variant(
    not_found=STRING, already_exists=STRING, quota_exceeded=None, invalid_key=STRING, io_error=STRING
)

COMPONENT_METADATA: Final = record(
    name=STRING,
    version=STRING,
    description=STRING,
    author=STRING,
    license=STRING,
    supported_operations=ListType(STRING),
    stateful=BOOL,
)
COMPONENT_INFO: Final = record(id=COMPONENT_ID, name=STRING, version=STRING, health=STRING)
STORAGE_USAGE: Final = record(used_bytes=U64, quota_bytes=U64, key_count=U64)

EXPORTS: Final = {
    "initialize": FuncType((("config", COMPONENT_CONFIG),), ResultType(None, COMPONENT_ERROR)),
    "handle-message": FuncType((("msg", COMPONENT_MESSAGE),), ResultType(OptionType(BYTES), WASM_ERROR)),
    "handle-callback": FuncType((("msg", COMPONENT_MESSAGE),), ResultType(None, WASM_ERROR)),
    "metadata": FuncType((), COMPONENT_METADATA),
    "health": FuncType((), HEALTH_STATUS),
    "shutdown": FuncType((), ResultType(None, COMPONENT_ERROR)),
}

_SENT: Final = ResultType(None, MESSAGING_ERROR)
_STORED: Final = ResultType(None, STORAGE_ERROR)

IMPORTS: Final = {
    MESSAGING: {
        "send": FuncType((("target", COMPONENT_ID), ("payload", BYTES)), _SENT),
        "request": FuncType(
            (("target", COMPONENT_ID), ("payload", BYTES), ("timeout-ms", U64)), ResultType(STRING, MESSAGING_ERROR)
        ),
        "cancel-request": FuncType((("request-id", STRING),), _SENT),
        "broadcast": FuncType((("targets", ListType(COMPONENT_ID)), ("payload", BYTES)), _SENT),
        "self-id": FuncType((), COMPONENT_ID),
    },
    SERVICES: {
        "log": FuncType(
            (("level", LOG_LEVEL), ("message", STRING), ("context", OptionType(ListType(TupleType((STRING, STRING))))))
        ),
        "current-time": FuncType((), TIMESTAMP),
        "current-time-millis": FuncType((), U64),
        "sleep-millis": FuncType((("duration-ms", U64),)),
        "list-components": FuncType((), ListType(COMPONENT_ID)),
        "get-component-metadata": FuncType((("id", COMPONENT_ID),), ResultType(COMPONENT_INFO, COMPONENT_ERROR)),
    },
    STORAGE: {
        "get": FuncType((("key", STRING),), ResultType(OptionType(BYTES), STORAGE_ERROR)),
        "set": FuncType((("key", STRING), ("value", BYTES)), _STORED),
        "delete": FuncType((("key", STRING),), _STORED),
        "exists": FuncType((("key", STRING),), ResultType(BOOL, STORAGE_ERROR)),
        "list-keys": FuncType((("prefix", OptionType(STRING)),), ResultType(ListType(STRING), STORAGE_ERROR)),
        "usage": FuncType((), ResultType(STORAGE_USAGE, STORAGE_ERROR)),
    },
}
