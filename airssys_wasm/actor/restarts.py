"""What follows when an actor has ended: again, and when, or never (pure).

| how it ended | permanent | transient | temporary |
|---|---|---|---|
| crashed, ended by a link, or its start failed | restart, counted | restart, counted | gone |
| interrupted | restart at once, not counted | the same | the same |
| stopped | gone | gone | gone |
| passivated | asleep, until there is a message | the same | the same |

At most `intensity` counted restarts in a sliding `window`; the failure after those gives up. The window is that of
the OTP supervisor (`supervisor.erl`, `add_restart`): a restart counts at the time of its failure, and still counts
when it is exactly `window` seconds old.
"""

import math
from typing import Final, final

import attrs

from airssys_wasm.core.config import Restart, one_of
from airssys_wasm.core.errors import ConfigError
from airssys_wasm.core.exits import ExitKind, ExitReason


def _restart(value: Restart | str) -> Restart:
    return one_of(Restart, "restart", value)


def _check_intensity(_instance: "RestartPolicy", attribute: "attrs.Attribute[int]", value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ConfigError(attribute.name, value, "is not a whole number")
    if value < 0:
        raise ConfigError(attribute.name, value, "is negative")


def _check_number(_instance: "RestartPolicy", attribute: "attrs.Attribute[float]", value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ConfigError(attribute.name, value, "is not a number")
    low, high, problem = _RANGES[attribute.name]
    if not math.isfinite(value):
        raise ConfigError(attribute.name, value, "is not finite")
    if not low <= value <= high:
        raise ConfigError(attribute.name, value, problem)


_SMALLEST: Final = math.ulp(0.0)
_RANGES: Final = {
    "window": (_SMALLEST, math.inf, "is not positive"),
    "backoff_initial": (0.0, math.inf, "is negative"),
    "backoff_factor": (1.0, math.inf, "is less than 1"),
    "backoff_max": (0.0, math.inf, "is negative"),
    "jitter": (0.0, 1.0, "is not from 0 to 1"),
}


@final
@attrs.frozen(kw_only=True)
class RestartPolicy:
    """How a component is restarted; times in seconds.

    The n-th counted restart of a window waits `backoff_initial * backoff_factor ** (n - 1)`, at most `backoff_max`.
    `jitter` shortens that by up to its share, at random; `backoff_initial=0` restarts at once.

    Raises:
        ConfigError: A value is not a number or out of its range; the text names the field.
    """

    restart: Restart = attrs.field(default=Restart.TRANSIENT, converter=_restart)
    intensity: int = attrs.field(default=3, validator=_check_intensity)
    window: float = attrs.field(default=60.0, validator=_check_number)
    backoff_initial: float = attrs.field(default=0.1, validator=_check_number)
    backoff_factor: float = attrs.field(default=2.0, validator=_check_number)
    backoff_max: float = attrs.field(default=30.0, validator=_check_number)
    jitter: float = attrs.field(default=0.0, validator=_check_number)

    @classmethod
    def plain(cls, restart: Restart | str) -> "RestartPolicy":
        """The defaults with that restart type, the same object each time; raises ConfigError."""
        return _PLAIN[_restart(restart)]

    def backoff(self, attempt: int, roll: float = 0.0) -> float:
        """Seconds to wait before a restart.

        Args:
            attempt: the how many-th restart of the window it is, from 1.
            roll: a random number from 0 to 1; only jitter looks at it.
        """
        try:
            delay = self.backoff_initial * float(self.backoff_factor) ** (attempt - 1)
        except OverflowError:
            delay = self.backoff_max if self.backoff_initial else 0.0
        return min(delay, self.backoff_max) * (1.0 - self.jitter * roll)


_PLAIN: Final = {restart: RestartPolicy(restart=restart) for restart in Restart}


@final
@attrs.frozen
class RestartWindow:
    """When the counted restarts were, oldest first; a revived actor begins with an empty one."""

    times: tuple[float, ...] = ()

    def sliding(self, now: float, window: float) -> "RestartWindow":
        """Without the restarts that are older than the window."""
        return RestartWindow(tuple(time for time in self.times if now <= time + window))

    def counting(self, now: float) -> "RestartWindow":
        """With one more restart."""
        return RestartWindow((*self.times, now))


@final
@attrs.frozen
class RestartAfter:
    """Start a new instance in `delay` seconds; `attempt` counts the restarts in the window, this one included."""

    delay: float
    attempt: int
    window: RestartWindow


@final
@attrs.frozen
class GiveUp:
    """The intensity is used up: the supervisor fails."""

    window: RestartWindow


@final
@attrs.frozen
class Gone:
    """It is over, and that is as it should be."""


@final
@attrs.frozen
class Sleep:
    """It has no instance, and gets one when it is needed."""


Plan = RestartAfter | GiveUp | Gone | Sleep


def plan(policy: RestartPolicy, window: RestartWindow, reason: ExitReason, now: float, *, roll: float = 0.0) -> Plan:
    """Say what follows from an end; the caller keeps the window that comes back.

    Args:
        policy: of the component.
        window: the counted restarts so far.
        reason: how the actor ended; a failed start counts like a crash.
        now: seconds of a monotonic clock.
        roll: a random number from 0 to 1 for jitter.
    """
    recent = window.sliding(now, policy.window)
    if reason.kind is ExitKind.STOPPED:
        return Gone()
    if reason.kind is ExitKind.PASSIVATED:
        return Sleep()
    if reason.kind is ExitKind.INTERRUPTED:
        return RestartAfter(0.0, len(recent.times), recent)
    if policy.restart is Restart.TEMPORARY:
        return Gone()
    if len(recent.times) >= policy.intensity:
        return GiveUp(recent)
    counted = recent.counting(now)
    attempt = len(counted.times)
    return RestartAfter(policy.backoff(attempt, roll), attempt, counted)
