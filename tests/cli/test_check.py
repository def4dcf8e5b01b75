"""`airssys-wasm check`: what is wrong, without running anything."""

from pathlib import Path

from tests.cli.commands import airssys, stages


def test_a_good_pipeline_is_said_to_be_fine(tmp_path: Path) -> None:
    """In the order in which messages go."""
    done = airssys("check", stages(tmp_path, ["echo", "counter"]))
    assert (0, b"") == (done.returncode, done.stderr)
    assert done.stdout.endswith(b"stages.toml: fine: 1 source, 1 sink, 2 components: x/0 -> x/1\n")


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
