import builtins
import inspect
import re

import pytest

from airssys_wasm.core import errors
from airssys_wasm.core.errors import AirssysError, DeliveryError
from airssys_wasm.core.exits import ExitKind, ExitReason
from airssys_wasm.core.ids import ComponentHandle, ComponentId
from airssys_wasm.core.messages import ComponentMessage
from airssys_wasm.core.problems import Problem

ECHO = ComponentId("demo", "echo", "0")
MESSAGE = ComponentMessage(ECHO, b"x")
CLASSES = {
    name: thing
    for name, thing in vars(errors).items()
    if inspect.isclass(thing) and issubclass(thing, BaseException) and thing.__module__ == errors.__name__
}
LINE = re.compile(r"^ *[│├└─ ]*(?P<name>[A-Z]\w+)(?: +\((?P<builtin>\w+)\))?(?: |$)")

MAPS_WAY = "raise it (`sysctl vm.max_map_count=1048576`) or give components a max_memory_bytes of 4 MiB or less"

CASES: list[tuple[AirssysError, str]] = [
    (AirssysError("anything"), "anything"),
    (errors.EngineCreation("no fibers"), "Engine creation failed: no fibers"),
    (errors.InvalidId("name", "a/b", "contains '/'"), "component id: name 'a/b' contains '/'"),
    (errors.ConfigError("send", "*", "is a bare str"), "send is a bare str: '*'"),
    (
        errors.PipelineInvalid(
            "p.toml", [Problem("p.toml", "[[sink]]", "kind", "is missing"), Problem("p.toml", "", "", "is empty")]
        ),
        "p.toml: [[sink]]: kind: is missing\np.toml: is empty",
    ),
    (errors.InvalidComponent("x.wasm", "is a core module"), "x.wasm: is a core module"),
    (
        errors.ExportNotFound("x.wasm", "health"),
        "x.wasm: export health is missing; the component has to fit airssys:core@1.0.0",
    ),
    (errors.InstantiationFailed("no import"), "Instantiation failed: no import"),
    (errors.InstantiationFailed("no import", ECHO), "Instantiation failed: demo/echo/0: no import"),
    (
        errors.TooManyMaps(64_500, 65_530, ECHO),
        f"Instantiation failed: demo/echo/0: 64500 memory maps of vm.max_map_count (65530) are in use; {MAPS_WAY}",
    ),
    (errors.ComponentNotFound(ECHO), "Component not found: demo/echo/0"),
    (errors.ComponentNotFound(ComponentHandle(ECHO, 3)), "Component not found: demo/echo/0#3"),
    (
        errors.AlreadyLoaded(ECHO),
        "demo/echo/0 is already loaded; unload it first or choose another instance name",
    ),
    (
        errors.TooManyThreads(8),
        "8 abandoned threads are still blocked in WASI; no more blocking guests until some end",
    ),
    (errors.ExecutionError("no answer"), "Execution error: no answer"),
    (errors.Trap("unreachable"), "Execution error: unreachable"),
    (errors.FuelExhausted(), "Execution error: all fuel consumed"),
    (errors.DeadlineExceeded(1.5), "Execution error: the call ran for more than 1.5 s"),
    (errors.HostFunctionError("log", "boom"), "Execution error: host function log failed: boom"),
    (errors.Interrupted(), "Execution error: interrupted"),
    (errors.GuestError("runtime-error", "bad line"), "runtime-error: bad line"),
    (errors.GuestError("timeout"), "timeout"),
    (DeliveryError("not handled", MESSAGE), "not handled"),
    (errors.ComponentCrashed(ECHO, "trap", MESSAGE), "demo/echo/0 crashed: trap"),
    (
        errors.RequestTimeout(ECHO, 0.25, "withdrawn", MESSAGE),
        "demo/echo/0 did not answer within 0.25 s (withdrawn)",
    ),
    (errors.ActorStopped(ECHO, message=MESSAGE), "demo/echo/0 has stopped"),
    (
        errors.ActorStopped(ECHO, ExitReason(ExitKind.STOPPED, "unloaded"), MESSAGE),
        "demo/echo/0 has stopped: stopped: unloaded",
    ),
    (errors.MailboxFull(ECHO, MESSAGE), "the mailbox of demo/echo/0 is full"),
    (errors.TargetNotFound(ECHO, MESSAGE), "no component demo/echo/0"),
    (errors.CapabilityDenied(ECHO, "send", "a/b/0", MESSAGE), "demo/echo/0 may not send a/b/0: no grant permits it"),
    (
        errors.CapabilityDenied(ECHO, "send", "a/b/0", MESSAGE, reason="closed"),
        "demo/echo/0 may not send a/b/0: closed",
    ),
    (errors.PolicyViolation(ECHO, "send", "a/b/0", "rule 1", MESSAGE), "rule 1 forbids demo/echo/0 to send a/b/0"),
    (
        errors.PayloadTooLarge(ECHO, 9, 8, MESSAGE),
        "payload of 9 bytes is over the limit of 8 of demo/echo/0; see Limits.max_payload_bytes",
    ),
    (
        errors.PayloadTooLarge(ECHO, 9, 8, MESSAGE, what="answer"),
        "answer of 9 bytes is over the limit of 8 of demo/echo/0; see Limits.max_payload_bytes",
    ),
]


def _documented_tree() -> dict[str, tuple[str | None, str | None]]:
    """Each class of the docstring's tree with its parent and its builtin base."""
    tree: dict[str, tuple[str | None, str | None]] = {}
    above: list[tuple[int, str]] = []
    for match in filter(None, map(LINE.match, (errors.__doc__ or "").splitlines()[1:-2])):
        depth, name = match.start("name"), match["name"]
        above = [(other, parent) for other, parent in above if other < depth]
        tree[name] = (above[-1][1] if above else None, match["builtin"])
        above.append((depth, name))
    return tree


def _tree() -> dict[str, tuple[str | None, str | None]]:
    """The same, of the classes themselves."""
    tree = {}
    for name, cls in CLASSES.items():
        parents = [base.__name__ for base in cls.__bases__ if base.__name__ in CLASSES]
        builtin = [base.__name__ for base in cls.__bases__ if hasattr(builtins, base.__name__)]
        tree[name] = (next(iter(parents), None), next(iter(builtin), None) if parents else None)
    return tree


def test_the_docstring_shows_the_tree_as_it_is() -> None:
    """Each class once, below its parent, with its builtin base."""
    assert _documented_tree() == _tree()


def test_every_error_has_a_case_here() -> None:
    """A new one cannot be forgotten."""
    assert set(CLASSES) == {type(error).__name__ for error, _ in CASES}


@pytest.mark.parametrize(("error", "text"), CASES, ids=[type(error).__name__ for error, _ in CASES])
def test_an_error_builds_its_sentence(error: AirssysError, text: str) -> None:
    """From the data that it was given."""
    assert text == str(error)


@pytest.mark.parametrize(
    "error", [error for error, _ in CASES if isinstance(error, DeliveryError)], ids=lambda error: type(error).__name__
)
def test_delivery_errors_hand_the_message_back(error: DeliveryError) -> None:
    """Whoever sent it can send it again."""
    assert error.message is MESSAGE


@pytest.mark.parametrize(
    ("cls", "builtin"),
    [
        ("InvalidId", ValueError),
        ("ConfigError", ValueError),
        ("InvalidComponent", ValueError),
        ("AlreadyLoaded", ValueError),
        ("PayloadTooLarge", ValueError),
        ("ExportNotFound", LookupError),
        ("ComponentNotFound", LookupError),
        ("TargetNotFound", LookupError),
        ("RequestTimeout", TimeoutError),
        ("DeadlineExceeded", TimeoutError),
        ("CapabilityDenied", PermissionError),
        ("PolicyViolation", PermissionError),
    ],
)
def test_an_error_is_what_a_caller_would_catch(cls: str, builtin: type[Exception]) -> None:
    """Code that knows nothing of us catches the builtin."""
    assert issubclass(CLASSES[cls], builtin)


def test_data_is_kept_as_attributes() -> None:
    """Nobody has to read a number out of a sentence."""
    large = errors.PayloadTooLarge(ECHO, 9, 8)
    assert (ECHO, 9, 8, None) == (large.component, large.payload_bytes, large.max_payload_bytes, large.message)
    late = errors.RequestTimeout(ECHO, 1.0, "running")
    assert (ECHO, 1.0, "running") == (late.component, late.timeout, late.outcome)
    trap = errors.Trap("unreachable", "unreachable", "frame 0")
    assert ("unreachable", "unreachable", "frame 0") == (trap.detail, trap.code, trap.backtrace)
    assert ["fuel", "deadline", "host-function"] == [
        error.code for error in (errors.FuelExhausted(), errors.DeadlineExceeded(1), errors.HostFunctionError("f", "p"))
    ]
    denied = errors.PolicyViolation(ECHO, "send", "a/b/0", "rule 1")
    assert (ECHO, "send", "a/b/0", "rule 1") == (denied.component, denied.action, denied.resource, denied.rule)


@pytest.mark.parametrize(
    ("value", "shown"), [("x" * 100_000, "'" + "x" * 78 + "…"), (b"secret", "6 bytes"), ([1], "[1]")]
)
def test_long_values_and_bytes_are_not_shown_whole(value: object, shown: str) -> None:
    """An error text fits on a line, and carries no payload."""
    assert f"config is wrong: {shown}" == str(errors.ConfigError("config", value, "is wrong"))


def test_an_exit_reason_reads_as_words() -> None:
    """Its kind, then the detail if there is one; the exception behind it is no part of its value."""
    assert "crashed: trap" == str(ExitReason(ExitKind.CRASHED, "trap"))
    assert "stopped" == str(ExitReason(ExitKind.STOPPED))
    assert ExitReason(ExitKind.CRASHED, "trap") == ExitReason(ExitKind.CRASHED, "trap", ValueError("x"))
