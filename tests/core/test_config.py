import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airssys_wasm.core.config import ComponentConfig, Execution, Restart, one_of
from airssys_wasm.core.errors import ConfigError

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@pytest.mark.parametrize("config", [b"\x00\xff", bytearray(b"\x00\xff"), memoryview(b"\x00\xff")])
def test_bytes_are_passed_on_as_they_are(config: Any) -> None:
    """Any content."""
    assert b"\x00\xff" == ComponentConfig.of(config).data


def test_a_str_is_passed_on_as_utf8() -> None:
    """The empty one too: it is not None."""
    assert ["größe".encode(), b""] == [ComponentConfig.of(text).data for text in ("größe", "")]


@given(st.dictionaries(st.text(), JSON))
def test_a_dict_is_passed_on_as_json(config: dict[str, Any]) -> None:
    """Readable by every JSON parser, lone surrogates escaped."""
    data = ComponentConfig.of(config).data
    assert data is not None
    assert data.isascii()
    assert config == json.loads(data)


def test_no_config_is_none() -> None:
    """Guests can tell it from an empty one."""
    assert ComponentConfig() == ComponentConfig.of()
    assert (None, ()) == (ComponentConfig().data, ComponentConfig().env)


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        (["a"], "is none of bytes, str and dict"),
        (1, "is none of bytes, str and dict"),
        ("\ud800", "has a lone surrogate"),
        ({"a": float("nan")}, "cannot be written as JSON"),
        ({"a": object()}, "cannot be written as JSON"),
    ],
)
def test_a_config_that_cannot_be_passed_on_is_refused(config: Any, problem: str) -> None:
    """At construction, not at the first start."""
    with pytest.raises(ConfigError, match=f"^config {problem}"):
        ComponentConfig.of(config)


def test_the_environment_keeps_its_order() -> None:
    """As pairs, which is how guests get it."""
    assert (("B", "2"), ("A", "")) == ComponentConfig.of(env={"B": "2", "A": ""}).env


@pytest.mark.parametrize(
    ("env", "field", "problem"),
    [
        ("A=1", "env", "is not a mapping of str to str"),
        ([("A", "1")], "env", "is not a mapping of str to str"),
        ({"A": 1}, "env.A", "is not a str"),
        ({1: "A"}, "env.1", "is not a str"),
        ({"A": "\ud800"}, "env.A", "has a lone surrogate"),
    ],
)
def test_an_environment_that_is_none_is_refused(env: Any, field: str, problem: str) -> None:
    """The variable is named."""
    with pytest.raises(ConfigError) as caught:
        ComponentConfig.of(env=env)
    assert (field, problem) == (caught.value.field, caught.value.problem)


def test_a_config_shows_names_and_sizes_only() -> None:
    """Values of the environment and configuration data may be secret."""
    config = ComponentConfig.of("secret", {"TOKEN": "secret"})
    assert "ComponentConfig(env=['TOKEN'], data=6 bytes)" == repr(config)
    assert "ComponentConfig(env=[], data=None)" == repr(ComponentConfig())


@pytest.mark.parametrize("choice", [*Restart, *Execution])
def test_a_choice_is_taken_by_its_name_or_as_itself(choice: Restart | Execution) -> None:
    """TOML has names, code has members."""
    assert [choice, choice] == [one_of(type(choice), "field", choice.value), one_of(type(choice), "field", choice)]


@pytest.mark.parametrize("value", ["Permanent", "", None, 1, ["permanent"], Execution.LOOP])
def test_an_unknown_choice_is_refused_with_the_list_of_choices(value: Any) -> None:
    """The text says what would be right."""
    with pytest.raises(ConfigError, match=r'^restart is not one of "permanent", "transient", "temporary": '):
        one_of(Restart, "restart", value)
