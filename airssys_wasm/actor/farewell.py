"""The end of an instance: the guest's `shutdown`, and that it is closed; what goes wrong there changes nothing."""

import logging
from collections.abc import Callable
from typing import Final

import anyio

from airssys_wasm.actor.child import Child
from airssys_wasm.core.errors import GuestError
from airssys_wasm.core.ports import Clock, Guest

CLOSE_SECONDS: Final = 5.0
"""How long an instance may take to give up what it holds before it is left alone and named in the log."""

MAX_LOGGED_CHARS: Final = 1024
"""Of what a guest says when something goes wrong, how much a line of the log repeats."""

_log: Final = logging.getLogger("airssys_wasm.actor.actor")


async def say_goodbye(child: Child, guest: Guest) -> None:
    """Let the guest shut down."""
    try:
        await guest.shutdown()
    except GuestError as exc:
        child.guest_errors += 1
        _log.warning("%s answered err to shutdown: %s", child.id, line(exc))
    except Exception as exc:  # noqa: BLE001 - it is on its way out
        _log.warning("%s failed in shutdown: %s", child.id, line(exc))


async def fall_asleep(child: Child, guest: Guest, clock: Clock, kill: Callable[[], None]) -> None:
    """Let the guest shut down within the time that it has when it is stopped; after that it is killed."""
    grace = child.spec.shutdown
    if grace == "brutal":
        return
    timer = None if grace == "infinite" else clock.call_at(clock.time() + float(grace), kill)
    try:
        await say_goodbye(child, guest)
    finally:
        if timer is not None:
            timer.cancel()


async def close(child: Child, guest: Guest, clock: Clock) -> None:
    """Close the guest, whatever is being cancelled; give up on it after `CLOSE_SECONDS`."""
    with anyio.CancelScope(shield=True) as scope:
        timer = clock.call_at(clock.time() + CLOSE_SECONDS, scope.cancel)
        try:
            await guest.aclose()
        except Exception:  # noqa: BLE001 - logged; the actor ends as it was going to
            _log.exception("%s could not be closed", child.id)
        finally:
            timer.cancel()
    if scope.cancelled_caught:
        _log.error("%s did not close within %g s and was left behind", child.id, CLOSE_SECONDS)


def line(error: Exception) -> str:
    """A guest's words as part of one line of a log: cut, and escaped where they would start another."""
    text = str(error)[:MAX_LOGGED_CHARS]
    return text if text.isprintable() else text.encode("unicode_escape").decode()
