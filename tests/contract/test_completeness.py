"""No function and no case of the `.wit` files is without a row or a test: what is new fails here until it has one."""

import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import attrs
import pytest

import airssys_wasm
from tests.contract import messaging_rows, python_rows, services_rows, storage_rows
from tests.contract.test_answers import OUTCOMES
from tests.contract.test_host_functions import ROWS

WIT: Final = Path(airssys_wasm.__file__).parent / "wit"
CANNOT: Final = messaging_rows.CANNOT | services_rows.CANNOT | storage_rows.CANNOT

_INTERFACE: Final = re.compile(r"^interface ([\w-]+) \{\n(.*?)^\}", re.MULTILINE | re.DOTALL)
_CASES: Final = re.compile(r"^ *(variant|enum) ([\w-]+) \{\n(.*?)^ *\}", re.MULTILINE | re.DOTALL)
_CASE: Final = re.compile(r"^ *([\w-]+)(?:\([^)]*\))?,", re.MULTILINE)
_FUNCTION: Final = re.compile(r"^ *([\w-]+): func\((.*?)\)(?: -> (.*?))?;", re.MULTILINE)
_ERROR: Final = re.compile(r"^result<.*, ([\w-]+)>$")
_COMMENT: Final = re.compile(r"//.*")
_WORLD: Final = re.compile(r"^ *(?:import|export) ([\w-]+);", re.MULTILINE)


@attrs.frozen
class Wit:
    """What a package delivers: names `interface.function: ok`, `interface.function: case`, `enum: case`."""

    text: str

    @property
    def world(self) -> set[str]:
        """The interfaces that the world imports or exports."""
        return set(_WORLD.findall(self.text))

    def cases(self, kind: str) -> dict[str, list[str]]:
        """The cases of each variant, or of each enum."""
        return {name: _CASE.findall(body) for of, name, body in _CASES.findall(self.text) if of == kind}

    def functions(self) -> Iterator[tuple[str, str, str]]:
        """Interface and name of each function, and its result."""
        for interface, body in _INTERFACE.findall(self.text):
            for name, parameters, result in _FUNCTION.findall(body):
                yield f"{interface}.{name}", parameters, result

    def deliverable(self) -> set[str]:
        """All that a guest or the host can be given."""
        variants, enums = self.cases("variant"), self.cases("enum")
        names = set[str]()
        for function, parameters, result in self.functions():
            names.add(f"{function}: ok")
            error = _ERROR.match(result)
            names |= {f"{function}: {case}" for case in (variants[error[1]] if error else ())}
            spoken = set(re.findall(r"[\w-]+", f"{parameters} {result}")) & set(enums)
            names |= {f"{enum}: {case}" for enum in spoken for case in enums[enum]}
        return names


def read() -> Wit:
    """The package's own files, without comments."""
    return Wit(_COMMENT.sub("", "\n".join(path.read_text() for path in sorted(WIT.glob("*.wit")))))


def shown() -> set[str]:
    """What rows and tests say they show."""
    here = Path(__file__).parent
    modules = [importlib.import_module(f"tests.contract.{path.stem}") for path in sorted(here.glob("test_*.py"))]
    tables = [row.covers for row in (*ROWS, *python_rows.ROWS)] + [outcome.covers for outcome in OUTCOMES.values()]
    tests = [getattr(thing, "covers", ()) for module in modules for thing in vars(module).values() if callable(thing)]
    return {name for covers in (*tables, *tests) if isinstance(covers, tuple) for name in covers}


def test_everything_that_the_world_can_deliver_has_a_test() -> None:
    """Or a reason why it never comes."""
    assert set() == read().deliverable() - shown() - set(CANNOT)


def test_nothing_is_shown_that_the_world_does_not_have() -> None:
    """A typing error in a table would hide a gap."""
    assert set() == (shown() | set(CANNOT)) - read().deliverable()


def test_what_never_comes_is_not_shown() -> None:
    """A case has a test or a reason, not both."""
    assert set() == shown() & set(CANNOT)


def test_the_seventeen_host_functions_and_six_exports_are_found() -> None:
    """The parser sees what is there: every interface with functions is the world's."""
    names = [name for name, _, _ in read().functions()]
    assert (17, 6) == (
        sum(not name.startswith("component-lifecycle.") for name in names),
        sum(name.startswith("component-lifecycle.") for name in names),
    )
    assert {name.partition(".")[0] for name in names} == read().world


@pytest.mark.parametrize(
    ("addition", "found"),
    [
        ("interface storage {\n    rename: func(old: string) -> result<_, storage-error>;\n}\n", "storage.rename: ok"),
        ("    variant storage-error {\n        new-case(string),\n    }\n", "storage.get: new-case"),
    ],
    ids=["function", "case"],
)
def test_what_is_added_to_the_contract_is_found(addition: str, found: str) -> None:
    """Breaking it once: the name would be without a test."""
    assert found in Wit(read().text + addition).deliverable() - shown() - set(CANNOT)


@pytest.mark.parametrize("interface", ["component-lifecycle", "host-messaging", "host-services", "storage"])
def test_the_python_guest_plays_at_least_one_function_of_each_interface(interface: str) -> None:
    """Another toolchain reads the same WIT."""
    assert any(name.startswith(f"{interface}.") for row in python_rows.ROWS for name in row.covers)
