"""One type and one value of it through a component and back: in both of our forms, and as wasmtime-py converts it."""

from typing import Any, Final

from wasmtime import Config, Engine, Store
from wasmtime import component as wt

from airssys_wasm.core.calls import Err, Ok, Some
from airssys_wasm.runtime.abi.codec import codec_for
from airssys_wasm.runtime.abi.pace import Lifting
from airssys_wasm.runtime.abi.shapes import Shapes
from airssys_wasm.runtime.abi.types import (
    EnumType,
    FlagsType,
    ListType,
    OptionType,
    RecordType,
    ResultType,
    Scalar,
    TupleType,
    VariantType,
    WitType,
)
from airssys_wasm.runtime.abi.values import Codec, Keep
from tests.runtime.bare import BareEngine, BareStore
from tests.runtime.toys import echo_component

PAD: Final = TupleType((Scalar("u8"),) * 16)
NO_PAD: Final = (0,) * 16
REFUSED: Final = (TypeError, ValueError, AttributeError, AssertionError)
"""How wasmtime-py says that it does not take a value."""


def shaped(of: WitType | None, value: Any, shapes: Shapes) -> Any:  # noqa: PLR0911 - one line a kind of type
    """A plain value with its classes."""
    match of, value:
        case RecordType(fields), _:
            items = [shaped(part, item, shapes) for (_, part), item in zip(fields, value, strict=True)]
            return shapes.class_of(of)(*items)
        case VariantType(cases), (tag, payload):
            part = dict(cases)[tag]
            return shapes.cases_of(of)[tag](*[shaped(part, payload, shapes)] * (part is not None))
        case EnumType(), _:
            return shapes.class_of(of)(value)
        case FlagsType(names), _:
            return shapes.class_of(of)(sum(1 << bit for bit, name in enumerate(names) if name in value))
        case ListType(element), list():
            return [shaped(element, item, shapes) for item in value]
        case TupleType(parts), _:
            return tuple(shaped(part, item, shapes) for part, item in zip(parts, value, strict=True))
        case OptionType(some), Some():
            return Some(shaped(some, value.value, shapes))
        case OptionType(some), _:
            return None if value is None else shaped(some, value, shapes)
        case ResultType(ok, err), Ok() | Err():
            return type(value)(shaped(ok if isinstance(value, Ok) else err, value.value, shapes))
        case _:
            return value


class Echo:
    """A component that echoes one type, called with any codec."""

    def __init__(self, engine: BareEngine, of: WitType) -> None:
        self.binary = echo_component(of)
        self._store = BareStore.ready(engine, self.binary)
        self._of = TupleType((of, PAD))

    def codec(self, shapes: Shapes | None = None) -> Codec:
        """A codec for what it echoes."""
        return codec_for(self._of, shapes=shapes)

    def send(self, codec: Codec, value: Any) -> Any:
        """There and back."""
        keep = Keep()
        text = self._store.begin("echo", codec.lower((value, NO_PAD), keep), keep=keep).finish()
        assert text is None, text
        return codec.lift(self._store.result.result(), Lifting())[0]

    def close(self) -> None:
        """Delete the Store."""
        self._store.close()


class Peer:
    """The same component, called by wasmtime-py."""

    def __init__(self, binary: bytes) -> None:
        config = Config()
        config.wasm_component_model = True
        engine = Engine(config)
        self._store = Store(engine)
        component = wt.Component(engine, binary)
        self._echo = wt.Linker(engine).instantiate(self._store, component).get_func(self._store, "echo")
        kind: Any = self._echo.type(self._store) if self._echo is not None else None
        self._of = kind.params[0][1].elements[0]

    def takes(self, value: Any) -> bool:
        """Whether it takes a plain value; what it gives back is then equal to what went in."""
        assert self._echo is not None
        try:
            theirs = _theirs(self._of, value)
            found = self._echo(self._store, (theirs, NO_PAD))[0]
        except REFUSED:
            return False
        assert theirs == found
        return True


def _theirs(of: Any, value: Any) -> Any:  # noqa: PLR0911 - one line a kind of type
    """A plain value as wasmtime-py has it."""
    match of:
        case wt.RecordType():
            record = wt.Record()
            for (name, part), item in zip(of.fields, value, strict=True):
                setattr(record, name, _theirs(part, item))
            return record
        case wt.VariantType():
            return _case(of, *value)
        case wt.OptionType():
            inner = value.value if isinstance(value, Some) else value
            return _case(of, "none", None) if value is None else _case(of, "some", inner)
        case wt.ResultType():
            return _case(of, "ok" if isinstance(value, Ok) else "err", value.value)
        case wt.ListType():
            return value if isinstance(value, bytes) else [_theirs(of.element, item) for item in value]
        case wt.TupleType():
            return tuple(_theirs(part, item) for part, item in zip(of.elements, value, strict=True))
        case wt.FlagsType():
            return set(value)
        case _:
            return value


def _case(of: Any, tag: str, payload: Any) -> Any:
    part = dict(of._cases())[tag]
    inner = None if part is None else _theirs(part, payload)
    return wt.Variant(tag, inner) if of._tagged() else inner
