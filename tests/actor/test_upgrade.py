"""The decisions of an upgrade, as tables."""

import pytest

from airssys_wasm.actor.child import ChildSpec
from airssys_wasm.actor.restarts import RestartWindow
from airssys_wasm.actor.upgrade import Moment, OnProbation, hands_over, moment
from airssys_wasm.core.errors import ConfigError
from airssys_wasm.core.exits import ExitKind, ExitReason
from airssys_wasm.core.observations import ActorState
from airssys_wasm.core.ports import ComponentMetadata
from airssys_wasm.core.upgrades import Probation
from tests.actor.bench import component


@pytest.mark.parametrize(
    ("state", "has_actor", "is_held", "expected"),
    [
        (ActorState.RUNNING, True, False, Moment.TAKE_OVER),
        (ActorState.RUNNING, True, True, Moment.WAIT),
        (ActorState.RUNNING, False, False, Moment.WAIT),
        (ActorState.RESTARTING, False, False, Moment.TAKE_THE_PLACE),
        (ActorState.RESTARTING, False, True, Moment.TAKE_THE_PLACE),
        (ActorState.RESTARTING, True, False, Moment.WAIT),
        (ActorState.FAILED, False, False, Moment.TAKE_THE_PLACE),
        (ActorState.ASLEEP, False, False, Moment.TAKE_THE_PLACE),
        (ActorState.STARTING, True, False, Moment.WAIT),
        (ActorState.STOPPING, True, False, Moment.GIVE_UP),
        (ActorState.STOPPED, False, False, Moment.GIVE_UP),
    ],
)
def test_what_can_be_done_now(state: ActorState, has_actor: bool, is_held: bool, expected: Moment) -> None:
    """The first table of the module."""
    assert expected is moment(state, has_actor=has_actor, is_held=is_held)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (("save-state",), ("load-state",), True),
        (("load-state",), ("save-state",), False),
        (("save-state", "load-state"), ("flush",), False),
        ((), ("load-state",), False),
    ],
)
def test_who_is_asked_for_its_state(old: tuple[str, ...], new: tuple[str, ...], expected: bool) -> None:
    """Each lists what it will be asked."""
    metadata = [ComponentMetadata(supported_operations=operations) for operations in (old, new)]
    assert expected is hands_over(*metadata)


@pytest.mark.parametrize(
    ("ends", "max_crashes", "expected"),
    [
        ("c", 0, [True]),
        ("cc", 1, [False, True]),
        ("icic", 1, [False, False, False, True]),
        ("C", 5, [True]),
        ("s", 0, [False]),
    ],
)
def test_when_the_old_one_comes_back(ends: str, max_crashes: int, expected: list[bool]) -> None:
    """The second table: c for a crash, C for one after which there is no restart, i for an interruption."""
    spec = ChildSpec(id=component(), compiled=None)
    on = OnProbation(Probation(max_crashes=max_crashes), spec, RestartWindow(), None)
    kinds = {"c": ExitKind.CRASHED, "C": ExitKind.CRASHED, "i": ExitKind.INTERRUPTED, "s": ExitKind.STOPPED}
    assert expected == [on.is_over(ExitReason(kinds[end]), restarts=end != "C") for end in ends]


@pytest.mark.parametrize(
    ("field", "value"),
    [("probation", -1.0), ("probation", float("nan")), ("probation", True), ("max_crashes", -1), ("max_crashes", 1.5)],
)
def test_terms_that_are_none_are_refused(field: str, value: object) -> None:
    """By name."""
    with pytest.raises(ConfigError, match=field):
        Probation(**{field: value})  # type: ignore[arg-type]
