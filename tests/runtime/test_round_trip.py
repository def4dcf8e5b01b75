"""Any value of any type, through a component and back, in both of our forms and beside wasmtime-py."""

from typing import Any

from hypothesis import given, settings

from airssys_wasm.runtime.abi.shapes import Shapes
from airssys_wasm.runtime.abi.types import WitType
from tests.runtime.bare import BareEngine
from tests.runtime.round_trip import Echo, Peer, shaped
from tests.runtime.values import deep_values

ENGINE = BareEngine()


@settings(max_examples=200)
@given(deep_values())
def test_any_value_comes_back_as_it_went(typed: tuple[WitType, Any]) -> None:
    """Types up to five deep; `python -m benchmarks.round_trips` does ten thousand, and counts what each side takes."""
    round_trip(*typed)


def round_trip(of: WitType, value: Any) -> bool:
    """Send it in all forms; whether wasmtime-py takes it too."""
    echo, shapes = Echo(ENGINE, of), Shapes()
    try:
        assert value == echo.send(echo.codec(), value)
        classy = shaped(of, value, shapes)
        assert classy == echo.send(echo.codec(shapes), classy)
    finally:
        echo.close()
    return Peer(echo.binary).takes(value)
