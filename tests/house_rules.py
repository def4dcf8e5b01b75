"""The rules of the house, read from the source: who may import whom, and how large things may grow.

A module states that it is pure with the word "(pure)" in the first line of its docstring.
"""

import ast
import io
import sys
import tokenize
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

import attrs

PACKAGE: Final = "airssys_wasm"
PURE_MARK: Final = "(pure)"

# "" is the package's own __init__.py.
ALLOWED: Final = {
    "core": set[str](),
    "security": {"core"},
    "runtime": {"core", "security"},
    "actor": {"core"},
    "messaging": {"core", "security", "actor"},
    "system": {"core", "security", "runtime", "actor", "messaging"},
    "cli": {"system", "core"},
    "testing": {"system", "core"},
    "__main__": {"cli"},
    "": {"system", "core", "security", "actor"},
}
LAYERS: Final = set(ALLOWED) - {"", "__main__"}
DATA_FOLDERS: Final = {"templates", "wit"}
LOOP_MODULES: Final = {"anyio", "asyncio", "sniffio", "trio", "uvloop"}
EFFECT_MODULES: Final = {"select", "selectors", "socket", "sqlite3", "subprocess", "threading", "time"}
CORE_LIBRARIES: Final = sys.stdlib_module_names | {"attr", "attrs", PACKAGE}
PRIVATE_WASMTIME_USERS: Final = ("runtime/abi/", "runtime/fibers.py", "runtime/engine.py")
MAX_FILE_LINES: Final = 300
MAX_BODY_LINES: Final = 25
LAYOUT_TOKENS: Final = {
    tokenize.COMMENT,
    tokenize.DEDENT,
    tokenize.ENCODING,
    tokenize.ENDMARKER,
    tokenize.INDENT,
    tokenize.NEWLINE,
    tokenize.NL,
}
Function = ast.FunctionDef | ast.AsyncFunctionDef


@attrs.frozen
class Module:
    """One source file, parsed."""

    path: Path
    inside: str  # its path in the package, with "/"
    source: str = attrs.field(repr=False)
    tree: ast.Module = attrs.field(repr=False)

    @property
    def layer(self) -> str:
        """The first folder, or "" for the package's own __init__.py."""
        first = self.inside.partition("/")[0].removesuffix(".py")
        return "" if first == "__init__" else first

    @property
    def is_pure(self) -> bool:
        """Whether the first line of its docstring says so; core says so as a whole."""
        docstring = ast.get_docstring(self.tree) or ""
        return self.layer == "core" or PURE_MARK in docstring.partition("\n")[0]

    def at(self, line: int, fact: str) -> str:
        """The fact with its place in front."""
        return f"{self.path}:{line}: {fact}"


Rule = Callable[[Module], Iterator[str]]


def parse_package(root: Path) -> list[Module]:
    """All modules of the package under a root, in order."""
    files = sorted((root / PACKAGE).rglob("*.py"))
    return [_parse(path, path.relative_to(root / PACKAGE).as_posix()) for path in files]


def _parse(path: Path, inside: str) -> Module:
    source = path.read_text(encoding="utf-8")
    return Module(path, inside, source, ast.parse(source, str(path)))


def imported(module: Module) -> Iterator[tuple[int, str]]:
    """Each import's line and absolute dotted name, `from a import b` as a.b.

    Also those inside functions, under `if TYPE_CHECKING`, and by `import_module` with a literal name.
    """
    for node in ast.walk(module.tree):
        match node:
            case ast.Import():
                yield from ((node.lineno, alias.name) for alias in node.names)
            case ast.ImportFrom():
                base = _absolute(module, node)
                yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)
            case ast.Call(
                func=ast.Name(id="import_module" | "__import__") | ast.Attribute(attr="import_module"),
                args=[ast.Constant(value=str(name)), *_],
            ):
                yield node.lineno, name


def _absolute(module: Module, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    package = [PACKAGE, *module.inside.split("/")[:-1]]
    parts = package[: len(package) - (node.level - 1)]
    return ".".join([*parts, *filter(None, [node.module])])


def imports_point_down(module: Module) -> Iterator[str]:
    """Only what ALLOWED lists may be imported from the package."""
    if module.layer not in ALLOWED:
        yield module.at(1, f"{module.inside} belongs to no layer")
        return
    for line, name in imported(module):
        top, _, rest = name.partition(".")
        target = rest.partition(".")[0]
        target = target if target in ALLOWED else ""
        if top == PACKAGE and target not in {*ALLOWED[module.layer], module.layer or None}:
            shown = module.layer or f"{PACKAGE}/__init__.py"
            yield module.at(line, f"{shown} may not import {name}")


def wasmtime_stays_in_runtime(module: Module) -> Iterator[str]:
    """`wasmtime` only in runtime/; its private modules only where they cannot be avoided."""
    names = [(line, name) for line, name in imported(module) if name.split(".")[0] == "wasmtime"]
    for line, name in names:
        if module.layer != "runtime":
            yield module.at(line, f"only runtime/ may import {name}")
    if module.inside.startswith(PRIVATE_WASMTIME_USERS):
        return
    for line, name in [*names, *_wasmtime_attributes(module)]:
        if any(part.startswith("_") and not part.startswith("__") for part in name.split(".")):
            yield module.at(line, f"{name} is private to wasmtime; only {', '.join(PRIVATE_WASMTIME_USERS)} may use it")


def _wasmtime_attributes(module: Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Attribute) and (name := ast.unparse(node)).startswith("wasmtime."):
            yield node.lineno, name


def pure_modules_are_pure(module: Module) -> Iterator[str]:
    """No event loop, no waiting, no clock and no I/O in core/ and in modules that call themselves pure."""
    if not module.is_pure:
        return
    for line, name in imported(module):
        if name.split(".")[0] in LOOP_MODULES | EFFECT_MODULES:
            yield module.at(line, f"a pure module may not import {name}")
    for node in ast.walk(module.tree):
        match node:
            case ast.Await() | ast.AsyncFor() | ast.AsyncWith():
                yield module.at(node.lineno, "a pure module may not wait")
            case ast.Call(func=ast.Name(id="open" | "print" | "input" as name)):
                yield module.at(node.lineno, f"a pure module may not call {name}()")
            case ast.Call(func=ast.Attribute(attr="now" | "utcnow" | "today" as name)):
                yield module.at(node.lineno, f"a pure module may not read the clock: {name}()")


def core_needs_only_attrs(module: Module) -> Iterator[str]:
    """core/ stands on the standard library and attrs."""
    for line, name in imported(module):
        if module.layer == "core" and name.split(".")[0] not in CORE_LIBRARIES:
            yield module.at(line, f"core may not import {name}")


def functions_stay_small(module: Module) -> Iterator[str]:
    """At most MAX_BODY_LINES lines of code in a function's body."""
    code = code_lines(module.source)
    for node in ast.walk(module.tree):
        if isinstance(node, Function):
            length = len(code & _body_lines(node))
            if length > MAX_BODY_LINES:
                yield module.at(node.lineno, f"{node.name}() has {length} lines, {MAX_BODY_LINES} are the ceiling")


def _body_lines(node: Function) -> set[int]:
    """The lines of a body without its docstring."""
    body = node.body[1:] if ast.get_docstring(node, clean=False) is not None else node.body
    return {line for statement in body for line in range(statement.lineno, (statement.end_lineno or 0) + 1)}


def code_lines(source: str) -> set[int]:
    """The lines that hold more than blanks and comments."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    spans = [(token.start[0], token.end[0]) for token in tokens if token.type not in LAYOUT_TOKENS]
    return {line for first, last in spans for line in range(first, last + 1)}


def files_stay_small(paths: Iterable[Path]) -> list[str]:
    """Each file over the ceiling, with its length."""
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in sorted(paths)}
    return [
        f"{path}:{MAX_FILE_LINES + 1}: {length} lines, {MAX_FILE_LINES} are the ceiling"
        for path, length in lengths.items()
        if length > MAX_FILE_LINES
    ]


def folders_stay_flat(root: Path) -> list[str]:
    """The package holds layers and data; a layer holds files and folders of files, nothing deeper."""
    package = root / PACKAGE
    folders = [path for path in sorted(package.rglob("*")) if path.is_dir() and path.name != "__pycache__"]
    problems = []
    for folder in folders:
        parts = folder.relative_to(package).parts
        if parts[0] not in LAYERS | DATA_FOLDERS:
            problems.append(f"{folder}: is no layer")
        elif len(parts) > 2 and parts[0] in LAYERS:
            problems.append(f"{folder}: a folder inside a layer has no folders")
    return problems


RULES: Final[list[Rule]] = [
    imports_point_down,
    wasmtime_stays_in_runtime,
    pure_modules_are_pure,
    core_needs_only_attrs,
    functions_stay_small,
]


def broken(rule: Rule, root: Path) -> list[str]:
    """Each line under a root that breaks a rule."""
    return [problem for module in parse_package(root) for problem in rule(module)]
