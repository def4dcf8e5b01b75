"""What a Python function raised, as the err of a WIT type (pure).

| err type | the value |
|---|---|
| any | that of a `CallError` |
| none | none |
| string | the exception's text |
| variant, enum | the case named like the exception's class or one of its bases; a string that it holds is the text |
| other | none: the exception ends the call |

`NotFound("key")` and `NotFoundError("key")` are both `not-found("key")`.
"""

from airssys_wasm.core.calls import CallError
from airssys_wasm.runtime.abi.names import pascal
from airssys_wasm.runtime.abi.types import STRING, EnumType, VariantType, WitType


def said(error: BaseException) -> str:
    """An exception in a text; its own text may raise."""
    try:
        return f"{type(error).__name__}: {error}"
    except Exception:  # noqa: BLE001 - it is somebody else's
        return type(error).__name__


def err_of(error: Exception, of: WitType | None) -> object:
    """The err value for an exception; raises the exception itself where there is none."""
    if isinstance(error, CallError):
        return error.value
    if of is None:
        return None
    if of == STRING:
        return str(error)
    cases = _cases(of)
    for cls in type(error).__mro__:
        for case, payload in cases.items():
            if cls.__name__.removesuffix("Error") == pascal(case).removesuffix("_").removesuffix("Error"):
                if payload is None:
                    return (case, None) if isinstance(of, VariantType) else case
                if payload == STRING:
                    return (case, str(error))
    raise error


def _cases(of: WitType) -> dict[str, WitType | None]:
    match of:
        case VariantType(cases):
            return dict(cases)
        case EnumType(names):
            return dict.fromkeys(names)
        case _:
            return {}
