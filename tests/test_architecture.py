"""The package keeps the rules of the house, and the rules find what breaks them."""

from pathlib import Path
from textwrap import dedent
from typing import Final

import pytest

from tests import house_rules
from tests.house_rules import PACKAGE, RULES, Rule, broken

ROOT: Final = Path(__file__).parent.parent
LONG_BODY: Final = "def f():\n" + "    x = 1\n" * 26


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_package_keeps(rule: Rule) -> None:
    """The failure names each line that breaks the rule."""
    problems = broken(rule, ROOT)
    assert [] == problems, "\n" + "\n".join(problems)


def test_no_file_is_too_long() -> None:
    """Package and tests keep to the ceiling."""
    files = [path for folder in (PACKAGE, "tests") for path in (ROOT / folder).rglob("*.py")]
    problems = house_rules.files_stay_small(path for path in files if "_built" not in path.parts)
    assert [] == problems, "\n" + "\n".join(problems)


def test_folders_are_layers_and_not_nested() -> None:
    """One look at the package shows the layers."""
    assert [] == house_rules.folders_stay_flat(ROOT)


@pytest.mark.parametrize(
    ("rule", "file", "source", "line"),
    [
        ("imports_point_down", "core/ids.py", "import airssys_wasm.actor.mailbox", 1),
        ("imports_point_down", "core/ids.py", "from airssys_wasm import system", 1),
        ("imports_point_down", "core/ids.py", "from airssys_wasm import ActorSystem", 1),
        ("imports_point_down", "actor/mailbox.py", "\nfrom ..runtime import store", 2),
        ("imports_point_down", "actor/mailbox.py", "def f():\n    from ..runtime.store import Store", 2),
        ("imports_point_down", "runtime/abi/values.py", "from ... import actor", 1),
        (
            "imports_point_down",
            "messaging/router.py",
            "import typing\nif typing.TYPE_CHECKING:\n    import airssys_wasm.system",
            3,
        ),
        ("imports_point_down", "messaging/router.py", "import_module('airssys_wasm.system')", 1),
        ("imports_point_down", "cli/run.py", "from airssys_wasm.runtime.engine import WasmtimeEngine", 1),
        ("imports_point_down", "system/pipeline.py", "from airssys_wasm.testing import Clock", 1),
        ("imports_point_down", "__init__.py", "from .messaging.router import Router as Router", 1),
        ("imports_point_down", "__main__.py", "from airssys_wasm.system import ActorSystem", 1),
        ("imports_point_down", "utils.py", "", 1),
        ("wasmtime_stays_in_runtime", "system/system.py", "import wasmtime", 1),
        ("wasmtime_stays_in_runtime", "runtime/store.py", "from wasmtime import _ffi", 1),
        ("wasmtime_stays_in_runtime", "runtime/store.py", "import wasmtime._bindings as b", 1),
        ("wasmtime_stays_in_runtime", "runtime/store.py", "import wasmtime\nwasmtime._ffi", 2),
        ("pure_modules_are_pure", "core/ids.py", "import asyncio", 1),
        ("pure_modules_are_pure", "core/ids.py", "async def f(x):\n    await x", 2),
        ("pure_modules_are_pure", "core/ids.py", "open('x')", 1),
        ("pure_modules_are_pure", "actor/restarts.py", '"""Plan (pure)."""\nfrom anyio import sleep', 2),
        ("pure_modules_are_pure", "actor/restarts.py", '"""Plan (pure)."""\nimport time', 2),
        ("pure_modules_are_pure", "actor/restarts.py", '"""Plan (pure)."""\nx = datetime.now()', 2),
        ("core_needs_only_attrs", "core/ids.py", "import cattrs", 1),
        ("functions_stay_small", "core/ids.py", LONG_BODY, 1),
    ],
)
def test_each_rule_names_the_line_that_breaks_it(tmp_path: Path, rule: str, file: str, source: str, line: int) -> None:
    """A made-up package with one bad line gives exactly that line."""
    path = _write(tmp_path, file, source)
    problems = {checked.__name__: broken(checked, tmp_path) for checked in RULES}
    assert [f"{path}:{line}"] == [problem.partition(": ")[0] for problem in problems[rule]]


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("__init__.py", "from .system.system import ActorSystem as ActorSystem"),
        ("__main__.py", "from airssys_wasm.cli import main as main"),
        ("core/ports.py", "import attrs\nfrom typing import Protocol\nfrom .ids import ComponentId"),
        ("core/ports.py", "class Engine:\n    async def load(self): ..."),
        (
            "runtime/abi/values.py",
            "import asyncio\nfrom wasmtime import _ffi\nfrom ..store import Store\nfrom ...core import ids",
        ),
        ("runtime/fibers.py", "import time\nimport wasmtime._bindings"),
        ("runtime/store.py", "import wasmtime\nwasmtime.__version__\nfrom wasmtime import Store as _Store"),
        ("actor/restarts.py", '"""Plan (pure)."""\nimport math\nfrom airssys_wasm.core import config'),
        ("actor/actor.py", '"""Runs.\n\nIts decisions are elsewhere (pure).\n"""\nimport anyio'),
        (
            "messaging/router.py",
            "from airssys_wasm.actor.mailbox import Mailbox\nfrom airssys_wasm.security import guard",
        ),
        ("testing/clock.py", "from airssys_wasm.system import system"),
        ("core/ids.py", 'def f():\n    """Long.\n' + "\n" * 30 + '    """\n' + "    # why\n\n" * 30 + "    return 1\n"),
    ],
)
def test_what_the_rules_allow_is_not_reported(tmp_path: Path, file: str, source: str) -> None:
    """The rules do not get in the way of what they allow."""
    _write(tmp_path, file, source)
    assert [] == [problem for rule in RULES for problem in broken(rule, tmp_path)]


def test_a_long_file_is_reported(tmp_path: Path) -> None:
    """The ceiling itself is allowed, one line more is not."""
    most = _write(tmp_path, "core/most.py", "x = 1\n" * 300)
    over = _write(tmp_path, "core/over.py", "x = 1\n" * 301)
    assert [f"{over}:301: 301 lines, 300 are the ceiling"] == house_rules.files_stay_small([most, over])


def test_unknown_and_nested_folders_are_reported(tmp_path: Path) -> None:
    """A new layer is a decision; a folder in a folder hides one."""
    for file in ("core/ids.py", "runtime/abi/values.py", "runtime/abi/deep/values.py", "utils/text.py", "wit/x.wit"):
        _write(tmp_path, file, "")
    package = tmp_path / PACKAGE
    expected = [
        f"{package / 'runtime/abi/deep'}: a folder inside a layer has no folders",
        f"{package / 'utils'}: is no layer",
    ]
    assert expected == house_rules.folders_stay_flat(tmp_path)


def _write(root: Path, file: str, source: str) -> Path:
    path = root / PACKAGE / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(dedent(source))
    return path
