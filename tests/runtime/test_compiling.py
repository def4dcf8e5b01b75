"""What is being compiled can be seen, with compilations that last until the test lets them go on."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from airssys_wasm import ActorSystem, ComponentId, InvalidComponent, WasmtimeEngine
from airssys_wasm.runtime import loader
from airssys_wasm.runtime.abi.component import compile_component
from airssys_wasm.system.pipeline import Pipeline
from airssys_wasm.system.pipeline_open import open_pipeline
from tests.runtime.guests import binary

ECHO = binary("echo")


class Press:
    """Stands in for the compiler, which it calls when it is let go."""

    def __init__(self) -> None:
        self.begun, self.let_go = threading.Semaphore(0), threading.Event()
        self._compile = compile_component

    def __call__(self, *arguments: Any) -> Any:
        """As the compiler."""
        self.begun.release()
        assert self.let_go.wait(60)
        return self._compile(*arguments)

    async def until_begun(self) -> None:
        """Wait for one compilation more."""
        assert await asyncio.to_thread(self.begun.acquire, timeout=60)


@pytest.fixture
def press(monkeypatch: pytest.MonkeyPatch) -> Iterator[Press]:
    """The compiler of all engines."""
    press = Press()
    monkeypatch.setattr(loader, "compile_component", press)
    yield press
    press.let_go.set()


@pytest.fixture
async def system(press: Press) -> AsyncIterator[ActorSystem]:
    """With an engine that keeps nothing."""
    engine = WasmtimeEngine(cache=None)
    async with ActorSystem(host=engine) as system:
        yield system
        press.let_go.set()
    await engine.aclose()


async def test_a_compilation_under_way_is_told_with_its_file_size_and_time(
    system: ActorSystem, press: Press, tmp_path: Path
) -> None:
    """The longest first; gone when it is over."""
    file = tmp_path / "echo.wasm"
    file.write_bytes(ECHO)
    loading = asyncio.ensure_future(system.load(ComponentId("demo", "a", "0"), file))
    await press.until_begun()
    compiling = asyncio.ensure_future(system.compile(ECHO))
    await press.until_begun()
    first, second = system.compiling()
    assert [(str(file), len(ECHO)), ("component bytes", len(ECHO))] == [(it.source, it.size) for it in (first, second)]
    assert first.seconds > second.seconds >= 0
    press.let_go.set()
    handle, _ = await loading, await compiling
    assert (b"x", ()) == (await handle.ask(b"x"), system.compiling())


async def test_what_does_not_compile_is_not_told_for_ever(system: ActorSystem, press: Press) -> None:
    """As an error leaves it."""
    press.let_go.set()
    with pytest.raises(InvalidComponent):
        await system.compile(ECHO[:8] + b"\xff" * 100)
    assert () == system.compiling()


async def test_a_compilation_that_nobody_waits_for_any_more_is_still_told(system: ActorSystem, press: Press) -> None:
    """It goes on in its thread, and keeps the next one waiting."""
    compiling = asyncio.ensure_future(system.compile(ECHO))
    await press.until_begun()
    compiling.cancel()
    await asyncio.wait([compiling])
    assert ["component bytes"] == [it.source for it in system.compiling()]


async def test_a_run_tells_what_it_waits_for(press: Press, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From its start until its end."""
    monkeypatch.setenv("AIRSSYS_WASM_CACHE", str(tmp_path / "cache"))
    (tmp_path / "echo.wasm").write_bytes(ECHO)
    (tmp_path / "lines.txt").write_text("one\ntwo\n")
    text = """
        [pipeline]
        name = "small"
        [[source]]
        name = "lines"
        kind = "file"
        path = "lines.txt"
        [[component]]
        id = "demo/echo"
        path = "echo.wasm"
        [[sink]]
        name = "out"
        kind = "file"
        path = "out.txt"
        [[route]]
        from = "lines"
        to = "demo/echo"
        [[route]]
        from = "demo/echo"
        to = "out"
    """
    file = tmp_path / "small.toml"
    file.write_text(text)
    pipeline = Pipeline(await open_pipeline(file))
    assert () == pipeline.progress().compiling
    running = asyncio.ensure_future(pipeline.run())
    await press.until_begun()
    (compilation,) = pipeline.progress().compiling
    assert "echo.wasm" == Path(compilation.source).name
    press.let_go.set()
    assert 2 == (await running).messages
    assert () == pipeline.progress().compiling
