"""What cannot be loaded, sent or configured: a typed error that names the thing, and nothing left behind."""

from pathlib import Path
from typing import Any, Final

import pytest

from airssys_wasm import (
    AirssysError,
    AlreadyLoaded,
    Capabilities,
    ComponentCrashed,
    ComponentId,
    ConfigError,
    ExportNotFound,
    InstantiationFailed,
    InvalidComponent,
    InvalidId,
    Limits,
    PayloadTooLarge,
)
from tests.contract.stage import Stage, binary, component
from tests.guests import wat

SOURCES: Final[dict[str, tuple[Any, type[AirssysError], str]]] = {
    "nothing": (b"", InvalidComponent, "empty"),
    "text": (b"(component)", InvalidComponent, "WebAssembly"),
    "a component cut off": (binary("echo")[:1000], InvalidComponent, "component"),
    "a core module": (wat.CORE_MODULE, InvalidComponent, "core module"),
    "a component without exports": (wat.empty_component(), ExportNotFound, "initialize"),
    "a missing export": (wat.missing_export("shutdown"), ExportNotFound, "shutdown"),
    "an export of another type": (wat.wrong_type("handle-message"), ExportNotFound, "handle-message"),
    "an import that nobody provides": (wat.unknown_import("other:pkg/thing"), InstantiationFailed, "other:pkg/thing"),
    "a file that is not there": (Path("no/such/file.wasm"), InvalidComponent, "no/such/file.wasm"),
    "a str": ("echo.wasm", ConfigError, "source is none of bytes, Path"),
}


def nothing_is_left(stage: Stage) -> bool:
    """No component, no Store, no grant, no id in use."""
    parts = stage.system._parts()
    host: Any = parts.host
    return (0, {}, {}, set()) == (
        host.inner.live_stores,
        dict(stage.system.statistics().components),
        parts.guard._held,
        parts.registry._reserved,
    )


@pytest.mark.parametrize(("source", "error", "named"), SOURCES.values(), ids=SOURCES)
async def test_a_source_that_is_no_component(stage: Stage, source: Any, error: type[AirssysError], named: str) -> None:
    """The text says what is wrong with which."""
    with pytest.raises(error, match=named):
        await stage.system.load(component("bad"), source, capabilities=Capabilities(send=["*"]))
    assert nothing_is_left(stage)


@pytest.mark.parametrize(
    ("settings", "error", "named"),
    [
        ({"capabilities": ["*"]}, ConfigError, "capabilities"),
        ({"limits": {}}, ConfigError, "limits"),
        ({"restart": "sometimes"}, ConfigError, "restart"),
        ({"execution": "gpu"}, ConfigError, "execution"),
        ({"config": 1}, ConfigError, "config"),
        ({"env": {"A": 1}}, ConfigError, "env.A"),
        ({"shutdown": -1}, ConfigError, "shutdown"),
        ({"limits": Limits(max_memory_bytes=1)}, InstantiationFailed, "memory"),
        ({"limits": Limits(max_component_bytes=10)}, InvalidComponent, "max_component_bytes"),
        ({"limits": Limits(max_fuel=1)}, InstantiationFailed, "fuel"),
    ],
)
async def test_a_setting_that_is_none(stage: Stage, settings: Any, error: type[AirssysError], named: str) -> None:
    """It is named."""
    with pytest.raises(error, match=named):
        await stage.system.load(component("bad"), binary("hostile"), **settings)
    assert nothing_is_left(stage)


@pytest.mark.parametrize("field", ["max_memory_bytes", "max_execution_time", "mailbox_capacity", "send_wait"])
@pytest.mark.parametrize("value", [0, -1, float("nan"), True])
def test_a_limit_that_is_none(field: str, value: Any) -> None:
    """Before anything is loaded."""
    fields: dict[str, Any] = {field: value}
    with pytest.raises(ConfigError, match=field):
        Limits(**fields)


@pytest.mark.parametrize("field", ["send", "request", "broadcast", "receive_from", "storage"])
def test_a_bare_str_where_a_list_belongs(field: str) -> None:
    """It would grant as many patterns as it has letters."""
    fields: dict[str, Any] = {field: "*"}
    with pytest.raises(ConfigError, match=f"{field} is a bare str"):
        Capabilities(**fields)


@pytest.mark.parametrize(
    "parts", [("", "b", "c"), ("a/b", "b", "c"), ("a", "..", "c"), ("a", "b", "*"), ("a", "b", "\n")]
)
def test_an_id_that_cannot_be_one(parts: tuple[str, str, str]) -> None:
    """The part is named."""
    with pytest.raises(InvalidId):
        ComponentId(*parts)


async def test_two_components_with_one_id(stage: Stage) -> None:
    """The first one lives on."""
    first = await stage.load("one")
    with pytest.raises(AlreadyLoaded, match="demo/one/0"):
        await stage.load("one")
    assert "1" == await first.say("count")


async def test_payloads_over_the_limit_in_each_direction(stage: Stage) -> None:
    """In: refused before the guest sees it. Out: the guest has crashed on its answer."""
    small = await stage.load("small", limits=Limits(max_payload_bytes=100))
    for send in (small.handle.ask, small.handle.tell):
        with pytest.raises(PayloadTooLarge, match="101 bytes is over the limit of 100 of demo/small/0"):
            await send(bytes(101))
    with pytest.raises(PayloadTooLarge):
        small.handle.tell_nowait(bytes(101))
    assert 0 == small.handle.statistics().crashes
    with pytest.raises(ComponentCrashed) as caught:
        await small.handle.ask(b"huge 101")
    assert isinstance(caught.value.__cause__, PayloadTooLarge)
    assert "1" == await small.say("count")


@pytest.mark.parametrize("payload", ["text", None, 1, ["x"]])
async def test_a_payload_is_bytes(stage: Stage, payload: Any) -> None:
    """A str has to be encoded by who knows how."""
    echo = await stage.load("echo", "echo")
    for send in (echo.handle.ask, echo.handle.tell):
        with pytest.raises(TypeError, match="a payload is bytes"):
            await send(payload)
