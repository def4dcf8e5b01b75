"""Which names a pipeline file may use for its components, its topics and itself (pure)."""

from collections.abc import Callable

from airssys_wasm.core.errors import ConfigError, InvalidId
from airssys_wasm.core.ids import HOST_NAMESPACE, ComponentId


def check_component_id(name: str) -> None:
    """Refuse what gives no full id with an instance number behind it; raises ConfigError."""
    if name.count("/") != 1:
        raise ConfigError("id", name, "is not of the form namespace/name")
    try:
        component = ComponentId.parse(f"{name}/0")
    except InvalidId as exc:
        raise ConfigError("id", name, f"has a {exc.part} that {exc.problem}") from exc
    if component.namespace == HOST_NAMESPACE:
        raise ConfigError("id", name, f'is reserved: the namespace "{HOST_NAMESPACE}" is host code\'s')


def checked_as(key: str, topic: str, check: Callable[[str], object]) -> None:
    """Refuse what is no topic, or no subscription, under the name of its key; raises ConfigError."""
    try:
        check(topic)
    except ConfigError as exc:
        raise ConfigError(key, topic, exc.problem) from exc


def check_system_name(name: str) -> None:
    """Refuse what host code could not send as; raises ConfigError."""
    try:
        ComponentId(HOST_NAMESPACE, name, "0")
    except InvalidId as exc:
        raise ConfigError("name", name, exc.problem) from exc
