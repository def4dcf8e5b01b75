"""Topics, and who has subscribed to what (pure).

A topic is a dotted text, `orders.eu.new`. A subscription is one too, in which a segment may be `*`, any one segment,
and the last may be `#`, any rest, also none (the words of AMQP's topic exchange).
"""

from collections.abc import Iterator
from typing import Final, final

from airssys_wasm.core.errors import ConfigError
from airssys_wasm.core.ids import ComponentId

ANY_ONE: Final = "*"
ANY_REST: Final = "#"
MAX_TOPIC_CHARS: Final = 255
"""As AMQP 0-9-1 has it for a routing key."""


def check_topic(topic: object) -> tuple[str, ...]:
    """The segments of a topic that something is published to.

    Raises:
        ConfigError: It is no dotted text, is too long, or has a wild card.
    """
    segments = _segments("topic", topic)
    if ANY_ONE in segments or ANY_REST in segments:
        raise ConfigError("topic", topic, f"has a wild card; {ANY_ONE} and {ANY_REST} are for subscriptions")
    return segments


def check_subscription(pattern: object) -> tuple[str, ...]:
    """The segments of a subscription.

    Raises:
        ConfigError: It is no dotted text, is too long, or has a wild card in the wrong place.
    """
    segments = _segments("subscription", pattern)
    if ANY_REST in segments[:-1]:
        raise ConfigError("subscription", pattern, f"has a {ANY_REST} before its end")
    return segments


def matches(pattern: tuple[str, ...], topic: tuple[str, ...]) -> bool:
    """Whether a subscription covers a topic."""
    if pattern[-1] == ANY_REST:
        pattern = pattern[:-1]
        topic = topic[: len(pattern)]
    return len(pattern) == len(topic) and all(want in {ANY_ONE, got} for want, got in zip(pattern, topic, strict=True))


def _segments(field: str, text: object) -> tuple[str, ...]:
    if not isinstance(text, str):
        raise ConfigError(field, text, "is not a str")
    if len(text) > MAX_TOPIC_CHARS:
        raise ConfigError(field, text, f"is longer than {MAX_TOPIC_CHARS} characters")
    segments = tuple(text.split("."))
    if not all(segments):
        raise ConfigError(field, text, "has an empty segment")
    for segment in segments:
        if not segment.isprintable() or (segment not in {ANY_ONE, ANY_REST} and (set(segment) & {ANY_ONE, ANY_REST})):
            raise ConfigError(field, text, f"has a segment {segment!r} that is neither a name nor a wild card")
    return segments


@final
class Subscriptions:
    """Who gets what is published; a component that subscribes twice to what covers one topic still gets it once."""

    def __init__(self) -> None:
        self._patterns: dict[ComponentId, dict[tuple[str, ...], None]] = {}

    def add(self, pattern: str, target: ComponentId) -> None:
        """Subscribe; once more is the same. Raises ConfigError for what is no subscription."""
        self._patterns.setdefault(target, {})[check_subscription(pattern)] = None

    def remove(self, pattern: str, target: ComponentId) -> None:
        """Take a subscription back; nothing when there is none."""
        patterns = self._patterns.get(target, {})
        patterns.pop(check_subscription(pattern), None)
        if not patterns:
            self._patterns.pop(target, None)

    def forget(self, target: ComponentId) -> None:
        """Take back all of a component that is gone."""
        self._patterns.pop(target, None)

    def subscribers(self, topic: str) -> Iterator[ComponentId]:
        """Who gets what is published to a topic, in the order in which they first subscribed."""
        return filter(None, self.looked_through(topic))

    def looked_through(self, topic: str) -> Iterator[ComponentId | None]:
        """The same with None for everybody else, so that who goes through many can let others run in between.

        Nobody is among them who subscribes meanwhile, or is gone by then.
        """
        segments = check_topic(topic)
        for target in tuple(self._patterns):
            patterns = self._patterns.get(target, ())
            yield target if any(matches(pattern, segments) for pattern in patterns) else None
