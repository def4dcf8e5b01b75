import unicodedata
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airssys_wasm.core.errors import InvalidId
from airssys_wasm.core.ids import ComponentHandle, ComponentId

ECHO = ComponentId("demo", "echo", "0")
PARTS = st.text(
    st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="/*"), min_size=1, max_size=255
).filter(lambda part: part not in {".", ".."})


def test_an_id_is_printed_with_slashes() -> None:
    """Patterns, logs and errors show this form."""
    assert "demo/echo/0" == str(ECHO)
    assert "ComponentId('demo', 'echo', '0')" == repr(ECHO)


@given(PARTS, PARTS, PARTS)
def test_the_printed_form_can_be_read_back(namespace: str, name: str, instance: str) -> None:
    """Whatever the parts, so two ids never print alike."""
    id_ = ComponentId(namespace, name, instance)
    assert id_ == ComponentId.parse(str(id_))


@given(st.text(max_size=4) | st.characters(categories=["Cc", "Cs"]))
def test_a_part_is_accepted_or_refused_like_the_naive_oracle_says(part: str) -> None:
    """Non-empty, no slash, star, control character or surrogate, no directory reference."""
    bad = {"Cc", "Cs"} & {unicodedata.category(character) for character in part} or set(part) & set("/*")
    if part in {"", ".", ".."} or bad:
        with pytest.raises(InvalidId):
            ComponentId("a", "b", part)
    else:
        assert part == ComponentId("a", "b", part).instance


@pytest.mark.parametrize("position", range(3))
@pytest.mark.parametrize(
    ("part", "problem"),
    [
        ("", "is empty"),
        (".", "is a directory reference"),
        ("..", "is a directory reference"),
        ("a/b", "contains '/'"),
        ("*", "contains '*'"),
        ("a\nb", r"contains '\n'"),
        ("a\0", r"contains '\x00'"),
        ("\ud800", r"contains '\ud800'"),
        ("a" * 256, "is longer than 255 characters"),
        (None, "is NoneType, not str"),
        (b"a", "is bytes, not str"),
    ],
)
def test_a_bad_part_is_named(position: int, part: Any, problem: str) -> None:
    """The error says which part, what it was and what is wrong with it."""
    parts = ["a", "b", "c"]
    parts[position] = part
    with pytest.raises(InvalidId) as caught:
        ComponentId(*parts)
    name = ("namespace", "name", "instance")[position]
    assert (name, part, problem) == (caught.value.part, caught.value.value, caught.value.problem)


def test_the_longest_part_is_as_long_as_a_file_name() -> None:
    """One character more is refused above."""
    assert 255 == len(ComponentId("a", "b", "c" * 255).instance)


@pytest.mark.parametrize("text", ["", "a", "a/b", "a/b/c/d", "a//c", "/a/b", "a/b/", "a/b/*"])
def test_only_three_parts_can_be_read(text: str) -> None:
    """None of them empty."""
    with pytest.raises(InvalidId):
        ComponentId.parse(text)


def test_ids_are_values() -> None:
    """Equal by their parts, hashable, ordered, unchangeable."""
    assert ComponentId("demo", "echo", "0") == ECHO
    assert 1 == len({ECHO, ComponentId("demo", "echo", "0")})
    assert [ComponentId("a", "z", "9"), ECHO] == sorted([ECHO, ComponentId("a", "z", "9")])
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        ECHO.name = "x"  # type: ignore[misc]


def test_a_handle_names_the_component_and_its_number() -> None:
    """Two handles of one component differ."""
    assert "demo/echo/0#7" == str(ComponentHandle(ECHO, 7))
    assert ComponentHandle(ECHO, 7) != ComponentHandle(ECHO, 8)
    assert 1 == len({ComponentHandle(ECHO, 7), ComponentHandle(ECHO, 7)})
