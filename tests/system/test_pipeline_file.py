"""Reading a pipeline file: what it says, and all that is wrong with it at once."""

from pathlib import Path
from textwrap import dedent

import pytest

from airssys_wasm.core.config import ComponentConfig, Execution, Restart
from airssys_wasm.core.health import HealthCheck
from airssys_wasm.core.keys import Key
from airssys_wasm.core.limits import Limits
from airssys_wasm.security.capabilities import Capabilities
from airssys_wasm.system.pipeline_file import Draft, parse_pipeline
from airssys_wasm.system.pipeline_spec import (
    ComponentSpec,
    Framing,
    OnError,
    PipelineSpec,
    RouteSpec,
    SinkKind,
    SinkSpec,
    SourceKind,
    SourceSpec,
)

FOLDER = Path("/etc/pipelines")


def parse(text: str) -> Draft:
    """Read a text as p.toml."""
    return parse_pipeline(dedent(text), FOLDER / "p.toml")


def problems(text: str) -> list[str]:
    """What is wrong with a text, without the name of the file."""
    return [str(problem).removeprefix("p.toml: ") for problem in parse(text).problems]


def test_every_key_reaches_the_spec() -> None:
    """A file that uses all of them; paths are relative to the file, limits of the pipeline are defaults."""
    draft = parse("""
        [pipeline]
        name = "all"
        on_error = "stop"
        storage = "state.db"
        stop_timeout = 5
        [pipeline.limits]
        max_fuel = 7
        max_execution_time = 2
        [pipeline.grants."x/a"]
        send = ["x/b/*"]

        [[source]]
        name = "in"
        kind = "file"
        path = "in.txt"
        framing = "block"
        block_bytes = 512

        [[component]]
        id = "x/a"
        path = "/opt/a.wasm"
        instances = 3
        key = "json:user.id"
        restart = "permanent"
        execution = "thread"
        passivate_after = 60
        [component.limits]
        max_fuel = 9
        [component.health]
        interval = 2
        [component.config]
        n = 1
        [component.env]
        A = "b"
        [component.capabilities]
        send = ["y/c/0"]
        storage = ["read"]

        [[route]]
        from = "in"
        to = "x/a"

        [[sink]]
        name = "out"
        kind = "file"
        path = "out.bin"
        framing = "block"
        """)
    component = ComponentSpec(
        id="x/a",
        path=Path("/opt/a.wasm"),
        instances=3,
        key=Key(("user", "id")),
        restart=Restart.PERMANENT,
        execution=Execution.THREAD,
        health=HealthCheck(interval=2.0),
        passivate_after=60.0,
        limits=Limits(max_fuel=9, max_execution_time=2.0),
        config=ComponentConfig((("A", "b"),), b'{"n": 1}'),
        capabilities=Capabilities(send=["y/c/0", "x/b/*"], storage=["read"]),
    )
    expected = PipelineSpec(
        file="p.toml",
        name="all",
        on_error=OnError.STOP,
        storage=FOLDER / "state.db",
        stop_timeout=5.0,
        sources=(SourceSpec("in", SourceKind.FILE, FOLDER / "in.txt", Framing.BLOCK, 512),),
        components=(component,),
        routes=(RouteSpec("in", "x/a"),),
        sinks=(SinkSpec("out", SinkKind.FILE, FOLDER / "out.bin", Framing.BLOCK),),
    )
    assert Draft(expected, ()) == draft


def test_what_is_not_said_has_its_default() -> None:
    """The shortest file that says anything."""
    draft = parse("""
        source = [{name = "in", kind = "stdin"}]
        component = [{id = "x/a", path = "a.wasm", config = "text"}]
        sink = [{name = "out", kind = "stdout"}]
        """)
    expected = PipelineSpec(
        file="p.toml",
        name="p",
        sources=(SourceSpec("in", SourceKind.STDIN),),
        components=(ComponentSpec("x/a", FOLDER / "a.wasm", config=ComponentConfig((), b"text")),),
        sinks=(SinkSpec("out", SinkKind.STDOUT),),
    )
    assert Draft(expected, ()) == draft


def test_files_of_a_directory_are_whole_unless_a_block_size_is_given() -> None:
    """And other sources have a block size even when the file gives none."""
    draft = parse("""
        source = [
            {name = "a", kind = "directory", path = "d", framing = "block"},
            {name = "b", kind = "directory", path = "d", framing = "block", block_bytes = 3},
            {name = "c", kind = "stdin", framing = "block"},
        ]
        """)
    assert [None, 3, 65536] == [source.block_bytes for source in draft.spec.sources]


def test_all_mistakes_are_reported_at_once() -> None:
    """Each with file, table and key."""
    text = """
        pipelin = 1
        [pipeline]
        on_error = "ignore"
        stop_timeout = 0
        [pipeline.limits]
        max_fuel = -1
        [pipeline.grants."x/y"]
        send = "*"
        [[source]]
        kind = "stdin"
        path = "p"
        [[component]]
        id = "x/a"
        instances = 0
        key = "user"
        restart = 1
        pth = "a.wasm"
        [component.limits]
        max_memory_bytes = 0
        mailbox_capacity = "many"
        nonsense = 1
        [component.capabilities]
        send = "*"
        storage = ["own"]
        [component.env]
        A = 1
        [[route]]
        from = "in"
        """
    assert problems(text) == [
        "[pipeline] [limits]: max_fuel: is not positive: -1",
        """[pipeline] [grants] [x/y]: send: is a bare str, where a list belongs; write ['*']: '*'""",
        '[pipeline]: on_error: is not one of "count", "stop": \'ignore\'',
        "[pipeline]: stop_timeout: is not positive and finite: 0",
        "[[source]] #1: name: is missing",
        '[[source]] #1: path: does not belong to kind = "stdin"',
        "[[component]] x/a: path: is missing",
        "[[component]] x/a: instances: is not positive: 0",
        '[[component]] x/a: key: is neither "json:field" nor "bytes:start:stop": \'user\'',
        "[[component]] x/a: restart: is a whole number, not a string",
        "[[component]] x/a [limits]: max_memory_bytes: is not positive: 0",
        "[[component]] x/a [limits]: mailbox_capacity: is not a whole number: 'many'",
        (
            "[[component]] x/a [limits]: nonsense: is unknown; known are max_memory_bytes, max_execution_time, "
            "max_fuel, mailbox_capacity, mailbox_bytes, max_payload_bytes, max_pending_requests, send_wait, "
            "storage_bytes, storage_keys, table_elements, max_component_bytes, "
            "max_memories"
        ),
        "[[component]] x/a: env.A: is not a str: 1",
        """[[component]] x/a [capabilities]: send: is a bare str, where a list belongs; write ['*']: '*'""",
        '[[component]] x/a [capabilities]: storage: is neither "read" nor "write": \'own\'',
        '[[component]] x/a: pth: is unknown; did you mean "path"?',
        "[[route]] in: to: is missing",
        'pipelin: is unknown; did you mean "pipeline"?',
        "[pipeline] [grants]: x/y: is no component",
    ]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('component = "x"', "component: is a string, not an array"),
        ("component = [1]", "component: is an array of whole numbers; write [[component]] tables"),
        ("[pipeline]\nname = 1.5", "[pipeline]: name: is a number, not a string"),
        ('[pipeline]\nname = "a/b"', "[pipeline]: name: contains '/': 'a/b'"),
        ('[pipeline]\nstorage = ""', "[pipeline]: storage: is neither a path nor \":memory:\": ''"),
        ("[pipeline]\nlimits = 2020-01-01", "[pipeline]: limits: is a date or time, not a table"),
        ('[[component]]\nid = "a"\npath = "p"', "[[component]] a: id: is not of the form namespace/name: 'a'"),
        (
            '[[component]]\nid = "host/a"\npath = "p"',
            "[[component]] host/a: id: is reserved: the namespace \"host\" is host code's: 'host/a'",
        ),
        ('[[component]]\nid = "a/*"\npath = "p"', "[[component]] a/*: id: has a name that contains '*': 'a/*'"),
        ('[[sink]]\nname = "s"\nkind = "file"', "[[sink]] s: path: is missing"),
        (
            '[[sink]]\nname = "s"\nkind = "files"\npath = "p"',
            """[[sink]] s: kind: is not one of "stdout", "file": 'files'""",
        ),
        ('[[sink]]\nname = "s"\nkind = "file"\npath = "a\\u0000"', "[[sink]] s: path: contains a NUL"),
        (
            '[[source]]\nname = "s"\nkind = "stdin"\nblock_bytes = 3',
            '[[source]] s: block_bytes: belongs to framing = "block"',
        ),
        (
            '[[component]]\nid = "a/b"\npath = "p"\nconfig = {at = 2020-01-01}',
            (
                "[[component]] a/b: config: cannot be written as JSON: Object of type date is not JSON serializable: "
                "{'at': datetime.date(2020, 1, 1)}"
            ),
        ),
    ],
)
def test_each_mistake_has_one_line(line: str, expected: str) -> None:
    """One mistake, one problem."""
    assert [expected] == problems(line)


def test_a_text_that_is_not_toml_says_where() -> None:
    """Nothing else can be said about it."""
    (problem,) = problems("[[source]\n")
    assert problem.startswith("is not TOML: ")
    assert "line 1" in problem
