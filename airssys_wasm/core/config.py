"""How a component is to be run: its configuration, restart type and execution lane (pure)."""

import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Final, TypeVar

import attrs

from airssys_wasm.core.errors import ConfigError

Choice = TypeVar("Choice", bound=StrEnum)


class Restart(StrEnum):
    """When an ended component is started again (the words of the OTP supervisor)."""

    PERMANENT = "permanent"
    TRANSIENT = "transient"
    TEMPORARY = "temporary"


class Execution(StrEnum):
    """Where a guest's calls run: `auto` starts on the event loop and moves what takes long, the others pin it."""

    AUTO = "auto"
    LOOP = "loop"
    THREAD = "thread"


def one_of(kind: type[Choice], field: str, value: object) -> Choice:
    """Take a choice by its name.

    Raises:
        ConfigError: The value is not one of the choices; the text lists them.
    """
    if isinstance(value, kind):
        return value
    for choice in kind:
        if choice == value:
            return choice
    choices = ", ".join(f'"{choice}"' for choice in kind)
    raise ConfigError(field, value, f"is not one of {choices}")


@attrs.frozen(repr=False)
class ComponentConfig:
    """What `initialize` gets besides the limits: environment variables and opaque configuration data."""

    env: tuple[tuple[str, str], ...] = ()
    data: bytes | None = None

    @classmethod
    def of(cls, config: object = None, env: Mapping[str, str] | None = None) -> "ComponentConfig":
        """Build from what callers pass: bytes as they are, a str as UTF-8, a dict as JSON.

        Raises:
            ConfigError: The config is of another type or cannot be encoded; env is not a mapping of str to str.
        """
        return _EMPTY if config is None and env is None else cls(_env_pairs(env), _config_bytes(config))

    def __repr__(self) -> str:
        size = "None" if self.data is None else f"{len(self.data)} bytes"
        return f"ComponentConfig(env={[name for name, _ in self.env]}, data={size})"


_EMPTY: Final = ComponentConfig()


def _config_bytes(config: object) -> bytes | None:
    match config:
        case None:
            return None
        case bytes() | bytearray() | memoryview():
            return bytes(config)
        case str():
            return _encoded("config", config)
        case dict():
            try:
                return json.dumps(config, ensure_ascii=True, allow_nan=False).encode()
            except (TypeError, ValueError) as exc:
                raise ConfigError("config", config, f"cannot be written as JSON: {exc}") from exc
        case _:
            raise ConfigError("config", config, "is none of bytes, str and dict")


def _env_pairs(env: Mapping[str, str] | None) -> tuple[tuple[str, str], ...]:
    if env is None:
        return ()
    if not isinstance(env, Mapping):
        raise ConfigError("env", env, "is not a mapping of str to str")
    for name, value in env.items():
        if not isinstance(name, str) or not isinstance(value, str):
            raise ConfigError(f"env.{name}", value, "is not a str")
        _encoded(f"env.{name}", name + value)
    return tuple(env.items())


def _encoded(field: str, text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as exc:
        raise ConfigError(field, text, "has a lone surrogate") from exc
