"""What can be imported is what is promised: the public names, their form and their docstrings."""

import ast
import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

import airssys_wasm
from airssys_wasm.core import errors

PROMISED: Final = {
    "ActorHandle",
    "ActorSystem",
    "AirssysError",
    "Capabilities",
    "ComponentHandle",
    "ComponentId",
    "ComponentMessage",
    "Limits",
    "MessageMetadata",
    "MessagePayload",
    "RuntimeEngine",
}
INIT: Final = Path(airssys_wasm.__file__)
ERROR_CLASSES: Final = [
    thing
    for thing in vars(errors).values()
    if inspect.isclass(thing) and issubclass(thing, BaseException) and thing.__module__ == errors.__name__
]


def _module_names() -> Iterator[str]:
    yield airssys_wasm.__name__
    for module in pkgutil.walk_packages(airssys_wasm.__path__, f"{airssys_wasm.__name__}."):
        yield module.name


def _sort_key(name: str) -> tuple[int, str]:
    """CONSTANTS, then Classes, then functions: the linter's order of __all__."""
    return 0 if name.isupper() else 1 if name[:1].isupper() else 2, name


def test_all_is_sorted_and_each_name_is_there() -> None:
    """A reader finds a name where the alphabet puts it, and can import it."""
    names = list(airssys_wasm.__all__)
    assert sorted(set(names), key=_sort_key) == names
    assert [] == [name for name in names if not hasattr(airssys_wasm, name)]


def test_all_holds_what_is_promised() -> None:
    """Code outside this repository uses these names."""
    assert set() == PROMISED - set(airssys_wasm.__all__)


def test_the_package_re_exports_each_name_as_itself_and_has_no_logic() -> None:
    """`from … import X as X`, `__all__`, nothing else; and what is imported is what __all__ lists."""
    exported = set()
    for node in ast.parse(INIT.read_text(encoding="utf-8")).body:
        match node:
            case ast.Expr(value=ast.Constant(value=str())):
                pass
            case ast.Assign(targets=[ast.Name(id="__all__")]):
                pass
            case ast.ImportFrom():
                assert [] == [alias.name for alias in node.names if alias.asname != alias.name]
                exported |= {alias.name for alias in node.names}
            case _:
                pytest.fail(f"{INIT}:{node.lineno}: {ast.unparse(node)}")
    assert set(airssys_wasm.__all__) == exported


@pytest.mark.parametrize("error", ERROR_CLASSES, ids=lambda error: error.__name__)
def test_each_error_is_public_in_the_tree_and_under_one_root(error: type[BaseException]) -> None:
    """One tree, shown whole in the docstring of the module, importable from the package."""
    assert getattr(airssys_wasm, error.__name__, None) is error
    assert error.__name__ in airssys_wasm.__all__
    assert issubclass(error, airssys_wasm.AirssysError)
    assert error.__name__ in (errors.__doc__ or "").replace(",", " ").split()


@pytest.mark.parametrize("name", list(_module_names()))
def test_each_module_says_what_it_is_for(name: str) -> None:
    """Each module can be imported on its own and has a docstring."""
    assert (importlib.import_module(name).__doc__ or "").strip()
