"""Values as `wasm-tools json-from-wast` writes them, beside those of typed calls (pure)."""

import math
import struct
from typing import Any, Final

from airssys_wasm.core.calls import Err, Ok, Some
from airssys_wasm.runtime.abi.types import OptionType, WitType, parts_of

FLOATS: Final = {"f32": ("<I", "<f"), "f64": ("<Q", "<d")}
"""A float is written as its bits in decimal."""


def value_of(written: dict[str, Any], of: WitType | None = None) -> Any:
    """The Python value to call with; its type tells an option of an option."""
    kind, value = written["type"], written.get("value")
    parts = [] if of is None else list(parts_of(of))
    if kind in {"bool", "string", "char", "enum", "flags"}:
        return value
    if kind in {"list", "tuple"}:
        return [value_of(item, parts[at % len(parts)] if parts else None) for at, item in enumerate(value)]
    if kind == "record":
        return {name: value_of(item) for name, item in value}
    if kind == "variant":
        payload = value.get("payload")
        return (value["case"], None if payload is None else value_of(payload))
    return _inner(kind, value, of)


def _inner(kind: str, value: Any, of: WitType | None) -> Any:
    if kind == "option":
        some = None if value is None else value_of(value)
        doubled = isinstance(of, OptionType) and isinstance(of.some, OptionType)
        return Some(some) if doubled and value is not None else some
    if kind == "result":
        ((half, payload),) = value.items()
        return (Ok if half == "Ok" else Err)(None if payload is None else value_of(payload))
    return _number(kind, value)


def _number(kind: str, value: str) -> float:
    if kind not in FLOATS:
        return int(value)
    if value.startswith("nan"):
        return math.nan
    bits, number = FLOATS[kind]
    return float(struct.unpack(number, struct.pack(bits, int(value)))[0])


def matches(written: dict[str, Any], value: Any) -> bool:
    """Whether an answer is what the test expects, of the same type in Python too."""
    kind, expected = written["type"], written.get("value")
    if kind in {"list", "tuple"}:
        return len(expected) == len(value) and all(map(matches, expected, value))
    if kind == "record":
        return all(matches(item, getattr(value, name.replace("-", "_"))) for name, item in expected)
    if kind == "variant":
        return bool(expected["case"] == value.tag) and _payload_matches(expected.get("payload"), value)
    if kind == "enum":
        return bool(expected == str(value))
    if kind == "flags":
        return {name.replace("-", "_").upper() for name in expected} == {str(flag.name).upper() for flag in value}
    return _inner_matches(written, value)


def _payload_matches(written: dict[str, Any] | None, value: Any) -> bool:
    inner = getattr(value, "value", None)
    return inner is None if written is None else matches(written, inner)


def _inner_matches(written: dict[str, Any], value: Any) -> bool:
    kind, expected = written["type"], written.get("value")
    if kind == "option":
        inner = value.value if isinstance(value, Some) else value
        return inner is None if expected is None else matches(expected, inner)
    if kind == "result":
        ((half, payload),) = expected.items()
        return isinstance(value, Ok if half == "Ok" else Err) and _payload_matches(payload, value)
    plain = value_of(written)
    if isinstance(plain, float) and math.isnan(plain):
        return isinstance(value, float) and math.isnan(value)
    return type(plain) is type(value) and bool(plain == value)
