"""From a path to a plan: what has to be there, what the command line replaces, what components must fit."""

from pathlib import Path

import pytest

from airssys_wasm.core.errors import PipelineInvalid
from airssys_wasm.system.pipeline_open import check_components, open_pipeline
from airssys_wasm.system.pipeline_spec import SinkKind, SourceKind
from tests.system.pipelines import LOGS, component, write

ECHO = component("x/a", "echo")
ROUTES = "in > x/a > out"


async def problems(file: Path, **ends: Path) -> list[str]:
    """What is wrong with a file and its components, without the name of the file and the folder."""
    try:
        await check_components(await open_pipeline(file, **ends))
    except PipelineInvalid as exc:
        return [str(problem).removeprefix("pipeline.toml: ").replace(f"{file.parent}/", "") for problem in exc.problems]
    return []


async def test_the_example_is_fine() -> None:
    """As it is in the repository."""
    assert [] == await problems(LOGS / "pipeline.toml")


async def test_mistakes_of_all_kinds_come_together(tmp_path: Path) -> None:
    """In the file, in its routes, and on the disk; one line each in the text of the error."""
    file = write(tmp_path, ECHO.replace("echo", "gone") + "nonsense = 1\n", "in > x/a > out, in > x/b")
    (tmp_path / "in.txt").unlink()
    (tmp_path / "out.txt").mkdir()
    with pytest.raises(PipelineInvalid) as caught:
        await open_pipeline(file)
    text = str(caught.value)
    assert len(caught.value.problems) == len(text.splitlines()) == 5
    for part in (
        "pipeline.toml: [[component]] x/a: nonsense: is unknown",
        'pipeline.toml: [[route]] in -> x/b: to: "x/b" is no source, component or sink',
        f"pipeline.toml: [[source]] in: path: there is no file {tmp_path}/in.txt",
        "pipeline.toml: [[component]] x/a: path: there is no file",
        f"pipeline.toml: [[sink]] out: path: is a directory: {tmp_path}/out.txt",
    ):
        assert part in text


@pytest.mark.parametrize(
    ("changed", "to", "expected"),
    [
        ('"in.txt"', '"."', "[[source]] in: path: is a directory: {folder}"),
        (
            'kind = "file"\npath = "in.txt"',
            'kind = "directory"\npath = "in.txt"',
            "[[source]] in: path: is no directory: in.txt",
        ),
        ('"out.txt"', '"no/out.txt"', "[[sink]] out: path: there is no directory no"),
    ],
)
async def test_a_path_has_to_be_of_its_kind(tmp_path: Path, changed: str, to: str, expected: str) -> None:
    """A folder is no file, a file no folder, and a sink needs a folder to be made in."""
    file = write(tmp_path, ECHO, ROUTES)
    file.write_text(file.read_text().replace(changed, to))
    assert [expected.format(folder=tmp_path)] == await problems(file)


async def test_the_storage_needs_a_folder_and_is_not_made_by_a_check(tmp_path: Path) -> None:
    """It is the run that keeps something in it."""
    storage = '[pipeline]\nstorage = "{}"\n'
    split = component("x/a", "echo", "instances = 2")
    assert [] == await problems(write(tmp_path, storage.format("s.db") + split, ROUTES))
    assert not (tmp_path / "s.db").exists()
    found = await problems(write(tmp_path, storage.format("no/s.db") + split, ROUTES))
    assert ["[pipeline]: storage: there is no directory no"] == found


async def test_the_audit_file_needs_a_folder_and_is_not_written_by_a_check(tmp_path: Path) -> None:
    """Though the component, started to be asked whether it is stateful, looks into its storage."""
    audit = '[pipeline]\naudit = "{}"\n'
    split = component("x/a", "hostile", 'instances = 2\nconfig = "init-trap-if k\\nmetadata-stateless"')
    assert [] == await problems(write(tmp_path, audit.format("a.jsonl") + split, ROUTES))
    assert not (tmp_path / "a.jsonl").exists()
    for name, expected in (
        ("no/a.jsonl", "there is no directory no"),
        (".", f"is a directory: {tmp_path}"),
        ("in.txt", "in.txt is already [[source]] in"),
        ("out.txt", "out.txt is already [[sink]] out"),
    ):
        found = await problems(write(tmp_path, audit.format(name) + split, ROUTES))
        assert [f"[pipeline]: audit: {expected}"] == found


async def test_a_file_that_is_not_there_or_no_text(tmp_path: Path) -> None:
    """Named as it was given."""
    with pytest.raises(PipelineInvalid, match=r"gone\.toml: cannot be read: No such file"):
        await open_pipeline(tmp_path / "gone.toml")
    (tmp_path / "bad.toml").write_bytes(b"\xff")
    with pytest.raises(PipelineInvalid, match=r"bad\.toml: cannot be read: .*utf-8"):
        await open_pipeline(tmp_path / "bad.toml")


async def test_input_and_output_replace_the_ends(tmp_path: Path) -> None:
    """The framing stays; a folder is read file by file; a dash is the standard stream."""
    file = write(tmp_path, ECHO, ROUTES)
    plan = await open_pipeline(file, input=tmp_path, output=tmp_path / "new.txt")
    assert (SourceKind.DIRECTORY, tmp_path) == (plan.spec.sources[0].kind, plan.spec.sources[0].path)
    assert (SinkKind.FILE, tmp_path / "new.txt") == (plan.spec.sinks[0].kind, plan.spec.sinks[0].path)
    plan = await open_pipeline(file, input=Path("-"), output=Path("-"))
    assert (SourceKind.STDIN, SinkKind.STDOUT) == (plan.spec.sources[0].kind, plan.spec.sinks[0].kind)


async def test_the_standard_streams_are_replaced_first(tmp_path: Path) -> None:
    """Of several ends those of kind stdin and stdout."""
    more = '[[source]]\nname = "s"\nkind = "stdin"\n[[sink]]\nname = "t"\nkind = "stdout"\n'
    file = write(tmp_path, more + ECHO, "in > x/a > out, s > x/a > t")
    (tmp_path / "other.txt").touch()
    plan = await open_pipeline(file, input=tmp_path / "other.txt", output=tmp_path / "o.txt")
    assert ["other.txt", "in.txt"] == [source.path.name for source in plan.spec.sources if source.path]
    assert ["o.txt", "out.txt"] == [sink.path.name for sink in plan.spec.sinks if sink.path]


async def test_it_has_to_be_clear_which_end_is_replaced(tmp_path: Path) -> None:
    """Two files and no standard stream: neither."""
    (tmp_path / "b.txt").touch()
    more = (
        '[[source]]\nname = "b"\nkind = "file"\npath = "b.txt"\n[[sink]]\nname = "c"\nkind = "file"\npath = "c.txt"\n'
    )
    file = write(tmp_path, more + ECHO, "in > x/a > out, b > x/a > c")
    assert [
        '--input: there is neither one [[source]] of kind = "stdin" nor only one [[source]]',
        '--output: there is neither one [[sink]] of kind = "stdout" nor only one [[sink]]',
    ] == await problems(file, input=tmp_path / "x", output=tmp_path / "y")


async def test_an_output_over_the_input_is_refused(tmp_path: Path) -> None:
    """It would be emptied before it is read."""
    file = write(tmp_path, ECHO, ROUTES)
    assert ["[[sink]] out: path: in.txt is already [[source]] in"] == await problems(file, output=tmp_path / "in.txt")


async def test_components_have_to_fit_and_all_that_do_not_are_named(tmp_path: Path) -> None:
    """Text, a core module, and a stateful component that the file splits up."""
    (tmp_path / "text.wasm").write_text("no component")
    (tmp_path / "core.wasm").write_bytes(b"\0asm\1\0\0\0")
    bad = "".join(f'[[component]]\nid = "x/{name}"\npath = "{name}.wasm"\n' for name in ("text", "core"))
    split = component("x/c", "counter", "instances = 3")
    found = await problems(write(tmp_path, bad + split, "in > x/text > out, in > x/core > out, in > x/c > out"))
    assert ["[[component]] x/text: path", "[[component]] x/core: path", "[[component]] x/c: instances"] == [
        ": ".join(problem.split(": ")[:2]) for problem in found
    ]
