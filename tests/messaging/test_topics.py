"""Topics: what a subscription covers, and what is none."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airssys_wasm import ComponentId, ConfigError
from airssys_wasm.messaging.topics import Subscriptions, check_subscription, check_topic, matches

A, B = ComponentId("t", "a", "0"), ComponentId("t", "b", "0")
NAMES = st.sampled_from(["a", "b", "ab", "é"])


def _oracle(pattern: str) -> re.Pattern[str]:
    """The same rule as a regular expression over the text."""
    parts = [r"[^.]+" if part == "*" else re.escape(part) for part in pattern.split(".")]
    if pattern.endswith("#"):
        head = r"\.".join(parts[:-1])
        return re.compile(rf"{head}(\..*)?" if head else ".*", re.DOTALL)
    return re.compile(r"\.".join(parts))


@given(
    st.lists(NAMES | st.just("*"), min_size=1, max_size=4),
    st.booleans(),
    st.lists(NAMES, min_size=1, max_size=5),
)
def test_a_subscription_covers_what_the_regular_expression_covers(
    pattern: list[str], rest: bool, topic: list[str]
) -> None:
    """`*` is one segment, `#` at the end any rest; compared with a regular expression."""
    subscription, published = ".".join([*pattern, *(["#"] * rest)]), ".".join(topic)
    expected = _oracle(subscription).fullmatch(published) is not None
    assert expected == matches(check_subscription(subscription), check_topic(published))


@pytest.mark.parametrize("text", ["", ".", "a..b", "a.", ".a", "a*", "#a", "a.#.b", "a\nb", "x" * 256, 7, None])
def test_what_is_no_subscription_is_refused(text: object) -> None:
    """The error names it and says why."""
    with pytest.raises(ConfigError, match="subscription"):
        check_subscription(text)


@pytest.mark.parametrize("text", ["*", "a.*", "#", "a.#"])
def test_nothing_is_published_to_a_wild_card(text: str) -> None:
    """A topic is one topic."""
    with pytest.raises(ConfigError, match="wild card"):
        check_topic(text)


def test_a_subscriber_of_two_covering_patterns_is_named_once() -> None:
    """Overlapping subscriptions do not make a message arrive twice."""
    table = Subscriptions()
    table.add("a.*", A)
    table.add("a.#", A)
    table.add("#", B)
    assert [A, B] == list(table.subscribers("a.b"))


def test_a_subscription_taken_back_or_forgotten_is_gone() -> None:
    """One pattern at a time, or all of a component."""
    table = Subscriptions()
    table.add("a.b", A)
    table.add("c", A)
    table.add("a.b", B)
    table.remove("a.b", A)
    table.remove("a.b", A)
    assert [B] == list(table.subscribers("a.b"))
    assert [A] == list(table.subscribers("c"))
    table.forget(A)
    assert [] == list(table.subscribers("c"))
