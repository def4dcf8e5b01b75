"""Topics of a pipeline: what a route to a topic leads to, and which topics and subscriptions miss each other (pure).

Topics are resolved when the pipeline is planned: a route to one becomes a route to each subscriber whose pattern covers
it. Whoever several routes, topics or subscriptions lead to from one origin gets each message once.
"""

from collections.abc import Iterator

import attrs

from airssys_wasm.core.errors import ConfigError
from airssys_wasm.core.problems import Problem
from airssys_wasm.messaging.topics import check_subscription, check_topic, matches
from airssys_wasm.system.pipeline_spec import TOPIC_PREFIX, PipelineSpec, RouteSpec, SubscribeSpec


@attrs.frozen
class Way:
    """One step of a message, by a route to its target or, when there is a topic, by a subscription."""

    origin: str
    target: str
    topic: str | None = None

    def __str__(self) -> str:
        return self.target if self.topic is None else f"{TOPIC_PREFIX}{self.topic} -> {self.target}"


def ways(spec: PipelineSpec) -> Iterator[Way]:
    """All steps that the routes give, in the order of the file; one step may be given more than once."""
    for route in spec.routes:
        if route.topic is None:
            yield Way(route.origin, route.target)
            continue
        for subscription in spec.subscriptions:
            if _covers(subscription, route.topic):
                yield Way(route.origin, subscription.target, route.topic)


def subscription_problems(spec: PipelineSpec, takers: set[str], sources: set[str]) -> Iterator[Problem]:
    """Subscriptions of what cannot have one; takers are the components and sinks."""
    seen = set[SubscribeSpec]()
    for subscription in spec.subscriptions:
        name, table = subscription.target, subscription.table
        if name in sources - takers:
            yield Problem(spec.file, table, "to", f'"{name}" is a source; nothing goes into it')
        elif name and name not in takers:
            yield Problem(spec.file, table, "to", f'"{name}" is no component or sink')
        if subscription in seen:
            yield Problem(spec.file, table, "", "is there twice")
        seen.add(subscription)


def topic_warnings(spec: PipelineSpec) -> Iterator[Problem]:
    """Topics that nobody subscribes to, and subscriptions that nothing is published to: mistyped, or not used yet."""
    topics: dict[str, RouteSpec] = {}
    for route in spec.routes:
        if route.topic is not None:
            topics.setdefault(route.topic, route)
    for topic, route in topics.items():
        if not any(_covers(subscription, topic) for subscription in spec.subscriptions):
            yield Problem(spec.file, route.table, "to", "nobody subscribes to this topic")
    for subscription in spec.subscriptions:
        if not any(_covers(subscription, topic) for topic in topics):
            yield Problem(spec.file, subscription.table, "topic", "no route leads to a topic that it covers")


def _covers(subscription: SubscribeSpec, topic: str) -> bool:
    """Whether it gets what is published there; False where one of the two is not well written."""
    try:
        return matches(check_subscription(subscription.topic), check_topic(topic))
    except ConfigError:
        return False
