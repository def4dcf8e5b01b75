"""When a component of a pipeline file is asked for its health, and when it is put to sleep (pure)."""

import attrs

from airssys_wasm.core.health import HealthCheck
from airssys_wasm.system.pipeline_table import Table

_KEYS = tuple(field.name for field in attrs.fields(HealthCheck))


def read_health(table: Table) -> HealthCheck | None:
    """The table `health` of a component, whose keys are those of a `HealthCheck`; None without one."""
    is_there = isinstance(table.values.get("health"), dict)
    health = table.table("health")
    check = HealthCheck(**health.checked(_KEYS, lambda key, value: HealthCheck(**{key: value})))
    health.finish()
    return check if is_there else None


def read_passivate_after(table: Table) -> float | None:
    """Seconds; None without the key."""
    seconds = table.seconds("passivate_after", 1.0)
    return seconds if "passivate_after" in table.values else None
