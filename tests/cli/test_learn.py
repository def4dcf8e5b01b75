"""`airssys-wasm run --learn`, and what a run says of messages that did not arrive."""

from pathlib import Path

from typer.testing import CliRunner, Result

from airssys_wasm.cli.app import app
from tests.cli.commands import stages

LINES = b"send x|1|0 echo hi\nstorage-set k v\n"
GRANTS = '[pipeline.grants."x/0"]\nsend = ["x/1/0"]\nstorage = ["write"]\n'
HEAD = "# The least grants for this run of 'stages.toml'; put them there in place of those that it has.\n"


def run(folder: Path, *options: str, lines: bytes = LINES) -> Result:
    """Run two hostile components over lines, of which the second takes what the first answers."""
    file = folder / "stages.toml"
    if not file.exists():
        stages(folder, ["hostile", "echo"])
    (folder / "in.txt").write_bytes(lines)
    ends = ("--input", str(folder / "in.txt"), "--output", str(folder / "out.txt"))
    return CliRunner().invoke(app, ["run", str(file), *ends, *options])


def test_what_was_learned_is_on_stderr_and_can_be_pasted(tmp_path: Path) -> None:
    """All of it, comments too; stdout may be a sink. Afterwards the same run needs no learning."""
    learning = run(tmp_path, "--learn")
    expected = (tmp_path / "out.txt").read_bytes()
    _, mark, rest = learning.stderr.partition("#")
    assert (0, "", HEAD + GRANTS) == (learning.exit_code, learning.stdout, mark + rest)
    (tmp_path / "stages.toml").write_text((tmp_path / "stages.toml").read_text() + mark + rest)
    done = run(tmp_path)
    assert (0, expected, False) == (done.exit_code, (tmp_path / "out.txt").read_bytes(), "dead letters" in done.stderr)


def test_what_was_learned_goes_to_a_file(tmp_path: Path) -> None:
    """With nothing but its place on stderr; no further option is needed."""
    done = run(tmp_path, "--learn-to", str(tmp_path / "grants.toml"))
    assert (0, HEAD + GRANTS) == (done.exit_code, (tmp_path / "grants.toml").read_text())
    assert done.stderr.endswith(f"airssys-wasm: the grants that were needed are in {tmp_path}/grants.toml\n")
    assert "[pipeline" not in done.stderr


def test_what_cannot_be_written_to_its_file_is_not_lost(tmp_path: Path) -> None:
    """It is on stderr; exit code 1."""
    done = run(tmp_path, "--learn-to", str(tmp_path))
    assert done.exit_code == 1
    assert GRANTS in done.stderr
    assert "Is a directory" in done.stderr.splitlines()[-1]


def test_nothing_needed_and_a_run_cut_short_are_said(tmp_path: Path) -> None:
    """As comments, so that the text can still be pasted."""
    done = run(tmp_path, "--learn", lines=b"echo 1\n")
    assert done.stderr.endswith("# None: no component sent anything by itself or used its storage.\n")
    text = (tmp_path / "stages.toml").read_text()
    (tmp_path / "stages.toml").write_text(f'[pipeline]\non_error = "stop"\n{text}')
    done = run(tmp_path, "--learn", lines=b"storage-get k\nerr timeout\n")
    assert done.exit_code == 1
    early = "# The run ended before its input did: more may be needed.\n"
    assert done.stderr.endswith(f'{HEAD}{early}[pipeline.grants."x/0"]\nstorage = ["read"]\n')


def test_denied_messages_and_dead_letters_are_in_the_summary(tmp_path: Path) -> None:
    """By reason; denied ones alone are no failure of the run, since the component knows of them."""
    done = run(tmp_path)
    assert done.exit_code == 0
    assert "dead letters: 1 denied\n" in done.stderr
    assert "airssys-wasm: 1 messages of components were denied; `run --learn` shows which grants are missing\n" in (
        done.stderr
    )
    done = run(tmp_path, lines=LINES + b"trap\nerr timeout\n")
    assert done.exit_code == 1
    assert "dead letters: 1 crashed, 1 denied, 1 guest-error\n" in done.stderr


def test_a_run_without_dead_letters_says_nothing_of_them(tmp_path: Path) -> None:
    """Its summary is as short as before."""
    done = run(tmp_path, lines=b"echo 1\n")
    assert (0, False, False) == (done.exit_code, "dead letters" in done.stderr, "denied" in done.stderr)
