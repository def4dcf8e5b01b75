"""`airssys-wasm check`: what is wrong, without running anything."""

import json
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from airssys_wasm.cli.app import app
from tests.cli.commands import airssys, stages

ACCESS = """
[pipeline.grants."x/0"]
send = ["x/1/*", "x/9"]
[[policy]]
name = "quiet"
rules = [{component = "*", action = "broadcast", resource = "*", effect = "deny"}]
[[route]]
from = "x/0"
to = "topic:gone"
"""


def test_a_good_pipeline_is_said_to_be_fine(tmp_path: Path) -> None:
    """In the order in which messages go."""
    done = airssys("check", stages(tmp_path, ["echo", "counter"]))
    assert (0, b"") == (done.returncode, done.stderr)
    first, *_ = done.stdout.splitlines()
    assert first.endswith(b"stages.toml: fine: 1 source, 1 sink, 2 components: x/0 -> x/1")


def test_a_cycle_is_refused_and_named(tmp_path: Path) -> None:
    """It would never end."""
    file = stages(tmp_path, ["echo", "echo"])
    file.write_text(file.read_text() + '[[route]]\nfrom = "x/1"\nto = "x/0"\n')
    done = airssys("check", file)
    assert (2, b"") == (done.returncode, done.stdout)
    assert done.stderr == b"airssys-wasm: stages.toml: [[route]]: routes form a cycle: x/0 -> x/1 -> x/0\n"


def test_a_stateful_component_with_several_instances_needs_a_key(tmp_path: Path) -> None:
    """Echo does not."""
    done = airssys("check", stages(tmp_path, ["echo", "counter"], "instances = 2"))
    assert done.returncode == 2
    assert [b"airssys-wasm: stages.toml: [[component]] x/1: instances"] == [
        line.rpartition(b": is stateful")[0] for line in done.stderr.splitlines()
    ]


def test_a_component_that_does_not_fit_is_named(tmp_path: Path) -> None:
    """With the file and what is wrong with it."""
    file = stages(tmp_path, ["echo"])
    (tmp_path / "core.wasm").write_bytes(b"\0asm\1\0\0\0")
    text = file.read_text()
    start = text.index('path = "') + len('path = "')
    file.write_text(text[:start] + "core.wasm" + text[text.index('"', start) :])
    done = airssys("check", file)
    assert done.returncode == 2
    (line,) = done.stderr.decode().splitlines()
    assert line.startswith(
        f"airssys-wasm: stages.toml: [[component]] x/0: path: {tmp_path}/core.wasm: is a core module"
    )


def test_nothing_is_run(tmp_path: Path) -> None:
    """No input is read and no output made."""
    file = stages(tmp_path, ["echo"])
    file.write_text(file.read_text().replace('kind = "stdout"', 'kind = "file"\npath = "out.txt"'))
    assert airssys("check", file).returncode == 0
    assert not (tmp_path / "out.txt").exists()


def with_access(folder: Path) -> Path:
    """A pipeline in which one component may send to the other, and some words have no effect."""
    file = stages(folder, ["echo", "echo"])
    file.write_text(file.read_text() + ACCESS)
    return file


def test_who_may_do_what_and_why(tmp_path: Path) -> None:
    """By component, on stdout; what has no effect is a warning on stderr and changes no exit code."""
    done = CliRunner().invoke(app, ["check", str(with_access(tmp_path))])
    assert done.exit_code == 0
    assert done.stdout.splitlines()[1:] == [
        "By themselves, routes aside, components may do this:",
        "x/0/0",
        '  may send "x/1/*" (grant)',
        '  may send "x/9" (grant)',
        '  may not broadcast "*" (policy "quiet", rule 1)',
        "x/1/0",
        "  may do nothing",
        '  may not broadcast "*" (policy "quiet", rule 1)',
    ]
    assert done.stderr.splitlines() == [
        "airssys-wasm: warning: stages.toml: [[route]] x/0 -> topic:gone: to: nobody subscribes to this topic",
        'airssys-wasm: warning: stages.toml: [[component]] x/0: send: "x/9" matches no component',
    ]


def test_json_for_programs(tmp_path: Path) -> None:
    """The same facts, and where messages go."""
    done = CliRunner().invoke(app, ["check", "--json", str(with_access(tmp_path))])
    report = json.loads(done.stdout)
    rule = {"effect": "deny", "action": "broadcast", "resource": "*", "because": 'policy "quiet", rule 1'}
    assert (0, "", True, []) == (done.exit_code, done.stderr, report["fine"], report["problems"])
    assert ["to", "send"] == [warning["key"] for warning in report["warnings"]]
    assert {"in": ["x/0"], "x/0": ["x/1"], "x/1": ["out"], "out": []} == report["routes"]
    assert ["x/0", "x/1"] == report["order"]
    expected: list[dict[str, Any]] = [
        {
            "component": "x/0",
            "instances": ["x/0/0"],
            "clauses": [
                {"effect": "allow", "action": "send", "resource": "x/1/*", "because": "grant"},
                {"effect": "allow", "action": "send", "resource": "x/9", "because": "grant"},
                rule,
            ],
            "receives_from": [],
        },
        {"component": "x/1", "instances": ["x/1/0"], "clauses": [rule], "receives_from": []},
    ]
    assert expected == report["access"]


def test_json_of_what_is_wrong(tmp_path: Path) -> None:
    """Every problem with its place; exit code 2."""
    done = CliRunner().invoke(app, ["check", "--json", str(stages(tmp_path, ["echo", "gone"], "instances = 0"))])
    report = json.loads(done.stdout)
    assert (2, "", False) == (done.exit_code, done.stderr, report["fine"])
    assert {("stages.toml", "[[component]] x/1", "path"), ("stages.toml", "[[component]] x/1", "instances")} <= {
        (problem["file"], problem["table"], problem["key"]) for problem in report["problems"]
    }


def with_supervisors(folder: Path, more: str = "") -> Path:
    """A pipeline of two components, under two supervisors."""
    file = stages(folder, ["echo", "echo"])
    trees = '[[supervisor]]\nname = "app"\nchildren = ["x/1", "in"]\n[[supervisor]]\nname = "in"\nparent = "app"\n'
    file.write_text(file.read_text() + trees + 'strategy = "one_for_all"\n' + more)
    return file


def test_supervisors_are_shown_as_a_tree(tmp_path: Path) -> None:
    """In start order; as JSON with every setting."""
    file = with_supervisors(tmp_path, 'children = ["x/0"]')
    shown = CliRunner().invoke(app, ["check", str(file)]).stdout.splitlines()
    start = shown.index("Supervisors, each above its children in start order:")
    assert [
        "  app (permanent, one_for_one, 3 restarts in 60 s)",
        "  ├─ x/1 (transient)",
        "  └─ in (permanent, one_for_all, 3 restarts in 60 s)",
        "     └─ x/0 (transient)",
    ] == shown[start + 1 : start + 5]
    (tree,) = json.loads(CliRunner().invoke(app, ["check", "--json", str(file)]).stdout)["supervisors"]
    assert ("app", 0.1, "infinite") == (tree["name"], tree["backoff_initial"], tree["shutdown"])
    assert {"component": "x/1", "instances": 1, "restart": "transient", "shutdown": 5.0} == tree["children"][0]
    assert ("one_for_all", "x/0") == (tree["children"][1]["strategy"], tree["children"][1]["children"][0]["component"])


def test_mistakes_about_supervisors_are_told_with_all_others(tmp_path: Path) -> None:
    """One line each, exit code 2."""
    done = CliRunner().invoke(app, ["check", str(with_supervisors(tmp_path, 'children = ["x/1", "x/7"]\nwindows = 1'))])
    assert 2 == done.exit_code
    assert [
        'airssys-wasm: stages.toml: [[supervisor]] in: windows: is unknown; did you mean "window"?',
        'airssys-wasm: stages.toml: [[supervisor]] in: children: "x/1" is already under "app"',
        'airssys-wasm: stages.toml: [[supervisor]] in: children: "x/7" is no component or supervisor',
    ] == done.stderr.splitlines()
