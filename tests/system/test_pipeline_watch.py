"""When a changed file is looked into."""

import pytest

from airssys_wasm.system.pipeline_watch import Shape, Watched

A, B, C = (1, 10, 1), (2, 10, 1), (2, 11, 1)


@pytest.mark.parametrize(
    ("looks", "expected"),
    [
        ([A, A, A, A], "-!--"),
        ([A, A, B, B, B], "-!-!-"),
        ([A, B, C, C], "---!"),
        ([A, A, None, None, A, A], "-!----"),
        ([A, A, None, B, B], "-!--!"),
        ([None, None], "--"),
        ([A, A, B, A, A], "-!---"),
    ],
)
def test_a_file_is_read_once_for_each_content_that_rests(looks: list[Shape | None], expected: str) -> None:
    """Half-written ones are not, nor one that is gone, nor one that is as it was."""
    watched = Watched()
    assert expected == "".join("!" if watched.is_new(look) else "-" for look in looks)
