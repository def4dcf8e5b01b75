from collections.abc import Callable, Iterable
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airssys_wasm.core.errors import ConfigError
from airssys_wasm.security.capabilities import ACTIONS, Capabilities, Pattern, StorageAction

PATTERN_FIELDS = ["send", "request", "broadcast", "receive_from"]
LIST_FIELDS = [*PATTERN_FIELDS, "storage"]
TEXTS = st.text("ab./", min_size=1, max_size=7)
STEMS = st.text("ab./", min_size=1, max_size=4)
PATTERNS = st.one_of(st.just("*"), STEMS, STEMS.map(lambda stem: stem + "/*"), STEMS.map(lambda stem: "*." + stem))


def _oracle(pattern: str, text: str) -> bool:
    """The rule of the contract, in the clumsiest words."""
    if pattern == "*":
        return True
    if pattern[-2:] == "/*":
        return any(pattern[:-1] + rest == text for rest in _tails(text))
    if pattern[:2] == "*.":
        return any(before + pattern[1:] == text for before in _heads(text))
    return pattern == text


def _with(field: str, value: Any) -> Capabilities:
    return Capabilities(**{field: value})


def _tails(text: str) -> Iterable[str]:
    return [text[start:] for start in range(len(text))]


def _heads(text: str) -> Iterable[str]:
    return [text[:end] for end in range(1, len(text) + 1)]


@given(PATTERNS, TEXTS)
def test_a_pattern_matches_like_the_naive_oracle(pattern: str, text: str) -> None:
    """Everything, strictly below, ending in, or equal."""
    assert _oracle(pattern, text) == Pattern(pattern).matches(text)


@given(PATTERNS, TEXTS)
def test_a_pattern_matches_what_was_built_from_it(pattern: str, rest: str) -> None:
    """The oracle's texts seldom match by chance, so some are made to."""
    assert Pattern(pattern).matches(pattern.replace("*", rest))


@pytest.mark.parametrize(
    ("pattern", "text", "matches"),
    [
        ("*", "a/b/0", True),
        ("a/b/*", "a/b/0", True),
        ("a/b/*", "a/bc/0", False),
        ("a/b/*", "a/b", False),
        ("a/b/*", "a/b/", False),
        ("a/b/*", "x/a/b/0", False),
        ("a/*", "a/b/0", True),
        ("*.eu", "a/b/x.eu", True),
        ("*.eu", ".eu", False),
        ("*.eu", "a/b/xeu", False),
        ("*.eu", "a/b/x.eu.de", False),
        ("a/b/0", "a/b/0", True),
        ("a/b/0", "a/b/00", False),
        ("a/b", "a/b/0", False),
    ],
)
def test_a_pattern_keeps_to_the_examples_of_the_contract(pattern: str, text: str, matches: bool) -> None:
    """A neighbour whose name has ours as a prefix is not meant."""
    assert matches == Pattern(pattern).matches(text)


@pytest.mark.parametrize(
    "text", ["**", "a*", "*a", "a/*/b", "a/b*", "*/b", "*.*", "*.", "/*", "a.*", "*.a/*", "a/**", "", " *"]
)
def test_a_star_in_any_other_place_is_refused(text: str) -> None:
    """A pattern that looks like a shell's would grant less, or more, than it seems to."""
    with pytest.raises(ConfigError) as caught:
        Pattern(text)
    assert ("pattern", text) == (caught.value.field, caught.value.value)
    assert repr(text) in str(caught.value)


@pytest.mark.parametrize("thing", [None, 1, b"*", ["*"]])
def test_a_pattern_is_a_str(thing: Any) -> None:
    """Bytes too are refused."""
    with pytest.raises(ConfigError, match=f"pattern is {type(thing).__name__}, not str"):
        Pattern(thing)


def test_patterns_are_values() -> None:
    """Equal by their text, hashable, shown in one word."""
    assert Pattern("a/*") == Pattern("a/*")
    assert 1 == len({Pattern("a/*"), Pattern("a/*")})
    assert ("a/*", "Pattern('a/*')") == (str(Pattern("a/*")), repr(Pattern("a/*")))
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        Pattern("a").text = "b"  # type: ignore[misc]


def test_nothing_is_granted_by_default() -> None:
    """Deny by default; only receive_from is open."""
    nothing = Capabilities()
    assert ((), (), (), (), None) == (
        nothing.send,
        nothing.request,
        nothing.broadcast,
        nothing.storage,
        nothing.wasi,
    )
    assert ("*",) == nothing.receive_from
    assert [None] * 5 == [nothing.permits(action, "a/b/0") for action in ACTIONS]


@pytest.mark.parametrize("make", [list, tuple, set, frozenset, iter, lambda items: (item for item in items)])
@pytest.mark.parametrize("field", LIST_FIELDS)
def test_any_iterable_of_str_is_kept_as_a_tuple(field: str, make: Callable[[list[str]], Iterable[str]]) -> None:
    """What came from TOML, from code or from a set is the same afterwards."""
    items = ["read", "write"] if field == "storage" else ["a/b/*", "c/d/0"]
    assert tuple(items) == getattr(_with(field, make(items)), field)


@pytest.mark.parametrize("field", LIST_FIELDS)
@pytest.mark.parametrize("bare", ["*", "read", "", b"*", bytearray(b"read"), memoryview(b"*"), None, 1, {"*": True}])
def test_a_bare_string_where_a_list_belongs_is_refused_with_the_way_out(field: str, bare: Any) -> None:
    """A str is a sequence: "*" taken apart would grant everything."""
    with pytest.raises(ConfigError, match=f"^{field} is .* where a list belongs; write \\[") as caught:
        _with(field, bare)
    assert field == caught.value.field


def test_the_way_out_can_be_pasted() -> None:
    """The text repeats the str inside a list."""
    with pytest.raises(ConfigError, match=r"write \['demo/\*'\]"):
        Capabilities(send="demo/*")


@pytest.mark.parametrize("field", LIST_FIELDS)
@pytest.mark.parametrize("item", [1, None, b"*", ["*"]])
def test_an_item_that_is_no_str_is_refused(field: str, item: Any) -> None:
    """A nested list is not flattened."""
    with pytest.raises(ConfigError, match=f"^{field} has an item that is not a str"):
        _with(field, [item])


@pytest.mark.parametrize("field", PATTERN_FIELDS)
def test_a_bad_pattern_is_refused_in_the_name_of_its_field(field: str) -> None:
    """The text names both."""
    with pytest.raises(ConfigError, match=f"^{field} has a \\* which") as caught:
        _with(field, ["a/b/*", "a*c"])
    assert (field, "a*c") == (caught.value.field, caught.value.value)


@pytest.mark.parametrize("action", ["delete", "Read", "*", ""])
def test_storage_knows_two_actions(action: str) -> None:
    """Neither wildcards nor other words."""
    with pytest.raises(ConfigError, match=r'^storage is neither "read" nor "write"'):
        Capabilities(storage=["read", action])


@pytest.mark.parametrize("wasi", [True, False, (), ["*"], "none"])
def test_no_wasi_capability_can_be_granted(wasi: Any) -> None:
    """Not even an empty one: the field is there to be refused."""
    with pytest.raises(ConfigError, match=r"^wasi is not None; no WASI capability can be granted"):
        Capabilities(wasi=wasi)


@pytest.mark.parametrize(
    ("granted", "permitted"),
    [
        ("send", {"send", "request", "broadcast"}),
        ("request", {"request"}),
        ("broadcast", {"broadcast"}),
        ("receive_from", set[str]()),
    ],
)
def test_send_permits_the_others_and_they_only_themselves(granted: str, permitted: set[str]) -> None:
    """Storage follows from none of them."""
    capabilities = _with(granted, ["a/*"])
    assert permitted == {action for action in ACTIONS if capabilities.permits(action, "a/b/0")}
    assert permitted & {"storage.read"} == {action for action in ACTIONS if capabilities.permits(action, "x/b/0")}


def test_what_is_no_action_is_never_permitted() -> None:
    """Being admitted by receive_from is not an action of one's own."""
    capabilities = Capabilities(send=["*"], receive_from=["*"], storage=["read", "write"])
    assert None is capabilities.permits("receive_from", "a/b/0")  # type: ignore[arg-type]


@pytest.mark.parametrize("action", ["read", "write"])
def test_neither_storage_action_implies_the_other(action: StorageAction) -> None:
    """The action itself is what permits; nothing of messages follows."""
    capabilities = Capabilities(storage=[action])
    permitted = {name: capabilities.permits(name, "a/b/0") for name in ACTIONS}
    assert dict.fromkeys(ACTIONS) | {f"storage.{action}": f"storage.{action}"} == permitted


def test_the_first_pattern_that_matches_is_the_reason() -> None:
    """An explanation names the pattern, patterns of send before those of request."""
    capabilities = Capabilities(send=["x/*", "a/*"], request=["*"])
    assert "a/*" == capabilities.permits("request", "a/b/0")
    assert "*" == capabilities.permits("request", "c/b/0")
    assert None is capabilities.permits("send", "c/b/0")


def test_receive_from_admits_by_pattern() -> None:
    """Empty admits nobody."""
    assert "*" == Capabilities().admits("a/b/0")
    assert "a/*" == Capabilities(receive_from=["a/*"]).admits("a/b/0")
    assert None is Capabilities(receive_from=["a/*"]).admits("b/b/0")
    assert None is Capabilities(receive_from=[]).admits("a/b/0")


def test_capabilities_are_values() -> None:
    """Equal and hashable by what they list, sets in any order; what is compiled does not show."""
    ours = Capabilities(send={"b/*", "a/*"}, storage=["read"])
    assert Capabilities(send={"a/*", "b/*"}, storage=("read",)) == ours
    assert 1 == len({ours, Capabilities(send=["a/*", "b/*"], storage=("read",))})
    assert "_targets" not in repr(ours)
    assert ("c/*",) == attrs.evolve(ours, send=["c/*"]).send
