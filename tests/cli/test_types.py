"""`airssys-wasm types`: modules that mypy checks callers and hosts by, and that calls use."""

import importlib.util
import subprocess
import sys
from pathlib import Path
from textwrap import dedent
from types import ModuleType
from typing import Any, Final

import pytest
from typer.testing import CliRunner

from airssys_wasm import ActorSystem, BadValue, ComponentId, ConfigError
from airssys_wasm.cli.app import app
from tests.cli.commands import GUESTS
from tests.runtime.plugins import Kv
from tests.runtime.things import things

PLUGIN: Final = GUESTS / "plugin.wasm"
ROOT: Final = Path(__file__).parent.parent.parent

USE: Final = """
    import plugin_types as t
    from airssys_wasm import ActorSystem, ComponentId

    class Store:
        def __init__(self, name: str) -> None: ...
        def get(self, key: str) -> str | None: ...
        @staticmethod
        def find(name: str) -> "Store": ...

    class Kv:
        Store = Store
        async def get(self, key: str) -> str: ...
        def set(self, key: str, value: str) -> None: ...
        async def wait(self, number: int) -> int: ...

    class Wrong(Kv):
        async def wait(self, number: int) -> str: ...  # E

    class Less:
        Store = Store
        async def get(self, key: str) -> str: ...

    async def use(system: ActorSystem, id: ComponentId) -> str:
        plugin = await t.load(system, id, b"", kv=Kv())
        await t.load(system, id, b"", kv=Less())  # E
        await t.load(system, id, b"")  # E
        api = t.Api(plugin, timeout=5)
        point = await api.middle(t.Point(1, 2), t.Point(3, y=4))
        await api.middle(t.Point("1", 2), t.Point(3, 4))  # E
        await api.size_of(t.ShapeLine((point, point)))
        await api.size_of(t.ShapeLine(point))  # E
        await api.size_of(point)  # E
        await api.next_colour(t.Colour.DEEP_BLUE)
        await api.other_access(t.Access.READ | t.Access.RUN_IT)
        await api.greet(5)  # E
        await api.great("Ada")  # E
        counter = await api.counter(start=5)
        number: str = await counter.add(1)  # E
        async with await api.counter_zero() as zero:
            one: int = await zero.add(1)
            await zero.sub(one)  # E
        await zero.drop()
        await zero.drop(one)  # E
        merged = await api.counter_merge(counter, await api.counter_zero())
        store = await api.open("mine")
        found: str | None = await api.read(store, "key")
        return await api.greet(f"{merged} {number} {found}")
"""


@pytest.fixture
def module(tmp_path: Path) -> ModuleType:
    """The module of the plugin guest."""
    file = tmp_path / "plugin_types.py"
    done = CliRunner().invoke(app, ["types", str(PLUGIN), "--output", str(file)])
    assert (0, "") == (done.exit_code, done.output)
    spec = importlib.util.spec_from_file_location("plugin_types", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["plugin_types"] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.usefixtures("module")
def test_mypy_checks_callers_and_hosts(tmp_path: Path) -> None:
    """Each line that is marked is an error, and no other; the module itself is clean."""
    source = dedent(USE)
    (tmp_path / "use.py").write_text(source)
    command = [sys.executable, "-m", "mypy", "--strict", "--disable-error-code=empty-body", "plugin_types.py", "use.py"]
    environment = {"MYPYPATH": str(ROOT), "PATH": "", "MYPY_CACHE_DIR": str(tmp_path / "cache")}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    found = {
        line.split(":")[0:2][1] for line in done.stdout.splitlines() if line.startswith("use.py:") and "error" in line
    }
    expected = {str(number) for number, line in enumerate(source.splitlines(), 1) if line.endswith("# E")}
    assert expected == found, done.stdout
    assert "plugin_types.py:" not in done.stdout


async def test_values_have_the_classes_of_the_module(module: Any) -> None:
    """What is answered, and what is passed to the host."""
    async with ActorSystem() as system:
        plugin = await module.load(system, ComponentId("demo", "plugin", "0"), PLUGIN, kv=Kv())
        api = module.Api(plugin)
        middle = await api.middle(module.Point(0, 0), module.Point(10, 20))
        assert module.Point(5, 10) == middle
        assert isinstance(middle, module.Point)
        assert module.Colour.DEEP_BLUE is await api.next_colour(module.Colour.RED)
        counter = await api.counter(4)
        assert 5 == await counter.add(1)
        with pytest.raises(BadValue, match=r"params\.first\.x"):
            await api.middle(module.Point("0", 0), module.Point(1, 1))


def test_what_every_handle_has_stands_for_itself(tmp_path: Path) -> None:
    """A method of the resource by the same name has an underscore behind it."""
    (tmp_path / "things.wasm").write_bytes(things())
    done = CliRunner().invoke(app, ["types", str(tmp_path / "things.wasm")])
    assert 0 == done.exit_code
    of_things = done.output.partition("class Thing(typing.Protocol):")[2].split("class ")[0]
    assert [
        'async def rep(self) -> "int": ...',
        'async def drop_(self) -> "int": ...',
        "async def drop(self) -> None: ...",
        "async def __aenter__(self) -> typing.Self: ...",
        "async def __aexit__(self, *error: object) -> None: ...",
    ] == of_things.strip().split("\n    ")


async def test_a_module_of_another_component_is_refused(module: Any) -> None:
    """When it is loaded, and the class is named."""
    module.Point = module.Reason
    module.Reason.__name__ = "Point"
    async with ActorSystem() as system:
        with pytest.raises(ConfigError, match=r"types .*Point"):
            await module.load(system, ComponentId("demo", "plugin", "0"), PLUGIN, kv=Kv())


def test_without_output_it_goes_to_stdout() -> None:
    """For a component without imports too, of the contract too."""
    done = CliRunner().invoke(app, ["types", str(GUESTS / "echo.wasm")])
    assert 0 == done.exit_code
    compile(done.output, "echo_types.py", "exec")


def test_inspect_shows_the_world(module: ModuleType) -> None:
    """A component with functions of its own is as good as one of the contract."""
    assert module.__name__ == "plugin_types"
    done = CliRunner().invoke(app, ["inspect", str(PLUGIN)])
    lines = [line.strip() for line in done.output.splitlines()]
    assert (0, "has functions of its own, to be called") == (done.exit_code, lines[-1])
    assert "import my:app/kv@1.0.0;" in lines
    assert "greet: func(name: string) -> string;" in lines
