"""What one component holds: grants and revocations in their order (pure)."""

import itertools
import math
from collections.abc import Iterable
from typing import final

import attrs

from airssys_wasm.core.errors import ConfigError
from airssys_wasm.security.capabilities import Action, Capabilities


def _check_capabilities(_instance: object, attribute: "attrs.Attribute[Capabilities]", value: object) -> None:
    if not isinstance(value, Capabilities):
        raise ConfigError(attribute.name, value, f"is {type(value).__name__}, not Capabilities")


def _check_expiry(_instance: object, attribute: "attrs.Attribute[float | None]", value: object) -> None:
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ConfigError(attribute.name, value, "is not a finite number of seconds; None is for good")


def _check_permissions_only(
    _instance: object, _attribute: "attrs.Attribute[Capabilities]", value: Capabilities
) -> None:
    if value.receive_from != ("*",):
        raise ConfigError("receive_from", value.receive_from, "is a restriction, which cannot be revoked")


@final
@attrs.frozen
class Grant:
    """Capabilities that a component holds, until `expires_at` (seconds of the caller's clock) or for good.

    Raises:
        ConfigError: A field is wrong; the error names it.
    """

    capabilities: Capabilities = attrs.field(validator=_check_capabilities)
    expires_at: float | None = attrs.field(default=None, validator=_check_expiry)

    def expired(self, now: float) -> bool:
        """Whether it no longer permits anything: strictly after its time."""
        return self.expires_at is not None and now > self.expires_at


@final
@attrs.frozen
class Revocation:
    """What was taken back: nothing that it names is permitted by an older grant, however wide that one is.

    Raises:
        ConfigError: It names no capabilities, or `receive_from`.
    """

    capabilities: Capabilities = attrs.field(validator=[_check_capabilities, _check_permissions_only])


@final
@attrs.frozen
class Permission:
    """Why something is permitted (the pattern), and the last second at which it is so."""

    reason: str
    until: float = math.inf


@final
@attrs.frozen
class Holdings:
    """The grants and revocations of one component, oldest first: the newest one that names an action decides.

    An equal grant or revocation that came earlier is left out, so that granting and revoking the same in turn does not
    make the list longer; so is a revocation with no older grant.
    """

    entries: tuple[Grant | Revocation, ...] = ()

    @property
    def grants(self) -> tuple[Grant, ...]:
        """The grants alone."""
        return tuple(entry for entry in self.entries if isinstance(entry, Grant))

    def adding(self, entry: Grant | Revocation) -> "Holdings":
        """With one more."""
        return Holdings(_without_idle([*(other for other in self.entries if other != entry), entry]))

    def at(self, now: float) -> "Holdings":
        """Without what has expired."""
        if not any(grant.expired(now) for grant in self.grants):
            return self
        return Holdings(
            _without_idle(entry for entry in self.entries if isinstance(entry, Revocation) or not entry.expired(now))
        )

    def permission(self, action: Action, resource: str) -> Permission | None:
        """Find what permits an action, expiry aside; None when nothing does, or it was taken back since."""
        for entry in reversed(self.entries):
            pattern = entry.capabilities.permits(action, resource)
            if pattern is None:
                continue
            if isinstance(entry, Revocation):
                return None
            return Permission(f"grant {pattern}", math.inf if entry.expires_at is None else entry.expires_at)
        return None


def _without_idle(entries: Iterable[Grant | Revocation]) -> tuple[Grant | Revocation, ...]:
    return tuple(itertools.dropwhile(lambda entry: isinstance(entry, Revocation), entries))
