"""The contract in three places, the `.wit` files, the types of `runtime/contract.py`, the built guests: all one."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest

import airssys_wasm
from airssys_wasm.runtime.abi.reader import exports_of, imports_of
from airssys_wasm.runtime.abi.types import (
    EnumType,
    FuncType,
    ListType,
    OptionType,
    RecordType,
    ResultType,
    Scalar,
    TupleType,
    VariantType,
    WitType,
)
from airssys_wasm.runtime.contract import EXPORTS, IMPORTS, LIFECYCLE, PACKAGE, VERSION
from airssys_wasm.runtime.wit import MESSAGING_ERRORS
from tests.runtime.bare import BareEngine
from tests.runtime.guests import binary

WIT: Final = Path(airssys_wasm.__file__).parent / "wit"
TYPES_ONLY: Final = {"types", "errors", "capabilities"}
CAPABILITIES: Final = """
    record filesystem-permission {action: enum {read, write, delete, list-dir}, path-pattern: string}
    record network-permission {action: enum {outbound, inbound}, host-pattern: string, port: option<u16>}
    record storage-permission {action: enum {read, write, delete}, namespace-pattern: string}
    record messaging-permission {action: enum {send, request, broadcast}, target-pattern: string}
"""
OTHER_TYPES: Final = {
    "component-handle": "u64",
    "correlation-id": "string",
    "request-id": "string",
    "message-payload": "list<u8>",
    "execution-status": "enum {success, failed, timeout, cancelled}",
    "security-error": (
        "variant {capability-denied(string), policy-violation(string), invalid-context(string),"
        " permission-denied(string)}"
    ),
    "execution-error": (
        "variant {invalid-operation(string), operation-failed(string), unsupported-codec(string),"
        " serialization-error(string)}"
    ),
}


class Wit:
    """The resolved package, as wasm-tools reads it."""

    def __init__(self, resolved: dict[str, Any]) -> None:
        self._types, self._interfaces, self._worlds = resolved["types"], resolved["interfaces"], resolved["worlds"]
        self.packages = [package["name"] for package in resolved["packages"]]

    @property
    def interfaces(self) -> dict[str, dict[str, FuncType]]:
        """Every interface's functions by name."""
        return {
            interface["name"]: {name: self._function(function) for name, function in interface["functions"].items()}
            for interface in self._interfaces
        }

    def world(self, side: str) -> set[str]:
        """The names of the interfaces that the world imports or exports."""
        (world,) = self._worlds
        return {self._interfaces[item["interface"]["id"]]["name"] for item in world[side].values()}

    def type(self, name: str) -> WitType:
        """A type by its name, where it is defined."""
        return self._type(next(at for at, of in enumerate(self._types) if of["name"] == name))

    def _function(self, function: dict[str, Any]) -> FuncType:
        result = function.get("result")
        params = tuple((param["name"], self._type(param["type"])) for param in function["params"])
        return FuncType(params, None if result is None else self._type(result))

    def _type(self, of: int | str) -> WitType:
        return Scalar(of) if isinstance(of, str) else self._defined(self._types[of]["kind"])

    def _maybe(self, of: int | str | None) -> WitType | None:
        return None if of is None else self._type(of)

    def _defined(self, kind: dict[str, Any]) -> WitType:
        ((name, body),) = kind.items()
        match name:
            case "type":
                return self._type(body)
            case "list":
                return ListType(self._type(body))
            case "option":
                return OptionType(self._type(body))
            case "result":
                return ResultType(self._maybe(body.get("ok")), self._maybe(body.get("err")))
            case _:
                return self._shaped(name, body)

    def _shaped(self, name: str, body: dict[str, Any]) -> WitType:
        match name:
            case "tuple":
                return TupleType(tuple(map(self._type, body["types"])))
            case "record":
                return RecordType(tuple((field["name"], self._type(field["type"])) for field in body["fields"]))
            case "variant":
                return VariantType(tuple((case["name"], self._maybe(case.get("type"))) for case in body["cases"]))
            case "enum":
                return EnumType(tuple(case["name"] for case in body["cases"]))
            case _:
                raise TypeError(name)


@pytest.fixture(scope="module")
def wit() -> Wit:
    """The package of the `.wit` files."""
    program = shutil.which("wasm-tools", path=str(Path(sys.executable).parent)) or shutil.which("wasm-tools")
    assert program is not None, "wasm-tools comes with the dev extra"
    shown = subprocess.run([program, "component", "wit", "--json", str(WIT)], capture_output=True, check=True)
    return Wit(json.loads(shown.stdout))


def test_the_package_is_the_one_that_guests_are_built_against(wit: Wit) -> None:
    """Its name and version are part of every import and export."""
    assert [f"{PACKAGE}@{VERSION}"] == wit.packages


def test_the_world_imports_three_interfaces_and_exports_one(wit: Wit) -> None:
    """Besides those that hold only types."""
    imported = {name.partition("/")[2].partition("@")[0] for name in IMPORTS}
    assert imported == wit.world("imports") - TYPES_ONLY
    assert {LIFECYCLE.partition("/")[2].partition("@")[0]} == wit.world("exports")
    assert "capabilities" not in wit.world("imports")


@pytest.mark.parametrize("interface", [LIFECYCLE, *IMPORTS])
def test_the_functions_of_the_wit_files_are_those_of_the_runtime(wit: Wit, interface: str) -> None:
    """Names, parameters, every type inside, and the order of fields and cases."""
    expected = EXPORTS if interface == LIFECYCLE else IMPORTS[interface]
    assert expected == wit.interfaces[interface.partition("/")[2].partition("@")[0]]


@pytest.mark.parametrize("interface", sorted(TYPES_ONLY))
def test_interfaces_of_types_have_no_functions(wit: Wit, interface: str) -> None:
    """They need no definition in a linker."""
    assert {} == wit.interfaces[interface]


@pytest.mark.parametrize("name", OTHER_TYPES)
def test_types_that_no_function_uses_are_as_the_contract_says(wit: Wit, name: str) -> None:
    """Guests and tools may use them."""
    shown = OTHER_TYPES[name]
    assert shown == str(wit.type(name))


@pytest.mark.parametrize("line", [line.strip() for line in CAPABILITIES.strip().splitlines()])
def test_permissions_are_as_the_contract_says(wit: Wit, line: str) -> None:
    """The vocabulary of manifests."""
    _, name, fields = line.split(" ", 2)
    assert f"record {fields}" == str(wit.type(name))


def test_a_grant_names_component_permissions_and_times(wit: Wit) -> None:
    """In this order."""
    grant, requested = wit.type("capability-grant"), wit.type("requested-permissions")
    assert isinstance(grant, RecordType)
    assert isinstance(requested, RecordType)
    assert ["component", "permissions", "granted-at", "expires-at"] == [name for name, _ in grant.fields]
    assert ["filesystem", "network", "storage", "messaging"] == [name for name, _ in requested.fields]
    assert all(isinstance(of, ListType) for _, of in requested.fields)


@pytest.mark.parametrize("guest", ["echo", "counter", "callback", "hostile", "wasi"])
def test_built_guests_export_the_contract(bare: BareEngine, guest: str) -> None:
    """As wasmtime reads it from the binary."""
    component = bare.compile(binary(guest))
    assert EXPORTS == exports_of(component, bare.engine)[LIFECYCLE].functions


def test_the_hostile_guest_imports_all_of_the_contract(bare: BareEngine) -> None:
    """Function by function, so that every host function can be tried from a guest."""
    imports = imports_of(bare.compile(binary("hostile")), bare.engine)
    assert IMPORTS == {name: imports[name].functions for name in IMPORTS}


def test_the_cases_of_messaging_errors_are_those_of_the_wit(wit: Wit) -> None:
    """A case that the guest's type does not have would end the guest instead of telling it something."""
    error = wit.type("messaging-error")
    assert isinstance(error, VariantType)
    assert {case for case, _ in MESSAGING_ERRORS.values()} <= {name for name, _ in error.cases}
