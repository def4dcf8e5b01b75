"""What `inspect` finds in a binary without running it."""

import pytest

from airssys_wasm.core.errors import InvalidComponent
from airssys_wasm.core.limits import Limits
from airssys_wasm.core.observations import ComponentReport
from airssys_wasm.runtime.contract import EXPORTS, IMPORTS, LIFECYCLE
from airssys_wasm.runtime.engine import WasmtimeEngine
from tests.guests import wat
from tests.runtime.guests import binary


async def inspect(engine: WasmtimeEngine, data: bytes) -> ComponentReport:
    """The report of some bytes."""
    return await engine.inspect(data, Limits())


async def test_a_guest_that_fits_has_no_problems(engine: WasmtimeEngine) -> None:
    """Its imports and exports are listed function by function."""
    data = binary("hostile")
    report = await inspect(engine, data)
    assert (True, (), False, len(data)) == (report.fits, report.problems, report.wasi, report.size_bytes)
    assert {f"{LIFECYCLE}#{name}" for name in EXPORTS} == set(report.exports)
    provided = {f"{interface}#{name}" for interface, functions in IMPORTS.items() for name in functions}
    assert provided <= set(report.imports)


@pytest.mark.parametrize(
    ("data", "byte_path", "expected"),
    [
        (binary("hostile"), True, "bytes"),
        (binary("wasi"), True, "bytes"),
        (binary("hostile"), False, "values"),
        (binary("hostile").replace(b"#handle-message", b"#handle-massage"), True, "values"),  # of core functions only
        (wat.missing_export("health"), True, None),
    ],
    ids=["C", "with WASI", "turned off", "another shape", "does not fit"],
)
async def test_the_path_of_payloads_is_told(engine: WasmtimeEngine, data: bytes, expected: str | None) -> None:
    """It is the shape of the component that decides, and whether the engine uses the byte path at all."""
    assert expected == (await inspect(engine, data)).payload_path


async def test_wasi_is_seen_and_no_problem(engine: WasmtimeEngine) -> None:
    """The host provides it."""
    report = await inspect(engine, binary("wasi"))
    assert (True, True) == (report.fits, report.wasi)


@pytest.mark.parametrize(
    ("data", "problems"),
    [
        (wat.missing_export("health"), ["#health is missing"]),
        (wat.wrong_type("metadata"), ["#metadata has type func(msg: string) -> u32 instead of func() -> record"]),
        (wat.unknown_import("other:pkg/thing"), ["import other:pkg/thing#run is not provided by the host"]),
        (wat.empty_component(), [f"#{name} is missing" for name in EXPORTS]),
        (
            wat.lifecycle(
                prelude='(import "run" (func)) (import "airssys:core/host-services@1.0.0" (instance'
                ' (export "sleep-millis" (func (param "n" u32))) (export "dance" (func))))'
            ),
            [
                "import run is not provided by the host",
                "host-services@1.0.0#dance is not provided by the host",
                "#sleep-millis has type func(n: u32) instead of func(duration-ms: u64)",
            ],
        ),
    ],
    ids=["missing", "type", "import", "empty", "imports"],
)
async def test_everything_that_does_not_fit_is_listed(engine: WasmtimeEngine, data: bytes, problems: list[str]) -> None:
    """Not only the first."""
    report = await inspect(engine, data)
    assert not report.fits
    assert len(problems) == len(report.problems)
    assert all(part in problem for part, problem in zip(problems, report.problems, strict=True))


@pytest.mark.parametrize("data", [b"", b"text", wat.CORE_MODULE], ids=["empty", "text", "module"])
async def test_what_is_no_component_cannot_be_inspected(engine: WasmtimeEngine, data: bytes) -> None:
    """With the same reasons as when it is loaded."""
    with pytest.raises(InvalidComponent):
        await inspect(engine, data)
