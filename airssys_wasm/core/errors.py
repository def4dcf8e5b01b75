"""Every error of the package (pure).

    AirssysError
    ├─ EngineCreation                    the WebAssembly engine could not be made
    ├─ InvalidId            (ValueError) a component id that cannot be one
    ├─ ConfigError          (ValueError) a setting, limit, pattern or pipeline key that is wrong
    │  └─ PipelineInvalid                all that is wrong with a pipeline
    ├─ InvalidComponent     (ValueError) the binary is no component, or not one that can run here
    ├─ ExportNotFound      (LookupError) a contract export is missing or of another type
    ├─ InstantiationFailed               the component could not be started, or its `initialize` failed
    │  └─ TooManyMaps                    the kernel would soon refuse this process memory
    ├─ ComponentNotFound   (LookupError) no component behind this handle
    ├─ AlreadyLoaded        (ValueError) the id is taken
    ├─ TooManyThreads                    every thread for blocking guests is taken by one that no longer answers
    ├─ ExecutionError                    a guest call ended without an answer
    │  ├─ Trap                           WebAssembly trapped; the instance is spent
    │  │  ├─ FuelExhausted
    │  │  ├─ DeadlineExceeded (TimeoutError)
    │  │  └─ HostFunctionError           a host function raised; the exception is the cause
    │  └─ Interrupted                    stopped on request, not a crash
    ├─ GuestError                        the guest answered err: its case and text
    └─ DeliveryError                     a message was not handled; carries it
       ├─ ComponentCrashed               the cause says why
       ├─ RequestTimeout    (TimeoutError)
       ├─ ActorStopped
       ├─ MailboxFull
       ├─ TargetNotFound     (LookupError)
       ├─ CapabilityDenied (PermissionError)
       ├─ PolicyViolation  (PermissionError)
       └─ PayloadTooLarge     (ValueError)

Each class builds its own sentence from the data that it keeps as attributes. `StorageError` and what is below it are
in `core/storage.py`, with their tree, as `UpgradeFailed` is in `core/upgrades.py`; `LinkBroken` is in `core/exits.py`.
"""

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airssys_wasm.core.exits import ExitReason
    from airssys_wasm.core.ids import ComponentHandle, ComponentId
    from airssys_wasm.core.messages import ComponentMessage
    from airssys_wasm.core.problems import Problem

_SHOWN_CHARS = 80


def _shown(value: object) -> str:
    """Show a value in an error text, cut when it is long."""
    text = f"{len(value)} bytes" if isinstance(value, bytes | bytearray) else repr(value)
    return text if len(text) <= _SHOWN_CHARS else text[: _SHOWN_CHARS - 1] + "…"


class AirssysError(Exception):
    """Base of all errors of this package."""


class EngineCreation(AirssysError):
    """The WebAssembly engine could not be made: a wasmtime that misses what the runtime stands on."""

    def __init__(self, detail: str) -> None:
        super().__init__(f"Engine creation failed: {detail}")
        self.detail = detail


class InvalidId(AirssysError, ValueError):
    """A part of a component id is not allowed."""

    def __init__(self, part: str, value: object, problem: str) -> None:
        super().__init__(f"component id: {part} {_shown(value)} {problem}")
        self.part, self.value, self.problem = part, value, problem


class ConfigError(AirssysError, ValueError):
    """A setting is wrong; `field` names it."""

    def __init__(self, field: str, value: object, problem: str) -> None:
        super().__init__(f"{field} {problem}: {_shown(value)}")
        self.field, self.value, self.problem = field, value, problem


class PipelineInvalid(ConfigError):
    """A pipeline cannot be run; `problems` is all that is wrong with it, the text has one line for each."""

    def __init__(self, file: str, problems: "Sequence[Problem]") -> None:
        super().__init__(file, problems, "is no pipeline that can be run")
        self.args = ("\n".join(map(str, problems)),)
        self.file, self.problems = file, tuple(problems)


class InvalidComponent(AirssysError, ValueError):
    """The binary cannot be loaded; `source` names it."""

    def __init__(self, source: str, problem: str) -> None:
        super().__init__(f"{source}: {problem}")
        self.source, self.problem = source, problem


class ExportNotFound(AirssysError, LookupError):
    """An export of the contract is missing, or has another type."""

    def __init__(self, source: str, export: str, problem: str = "is missing") -> None:
        super().__init__(f"{source}: export {export} {problem}; the component has to fit airssys:core@1.0.0")
        self.source, self.export, self.problem = source, export, problem


class InstantiationFailed(AirssysError):
    """The component could not be started: an import nobody provides, a limit, or a failing `initialize`."""

    def __init__(self, detail: str, component: "ComponentId | None" = None) -> None:
        super().__init__(f"Instantiation failed: {detail if component is None else f'{component}: {detail}'}")
        self.detail, self.component = detail, component


class TooManyMaps(InstantiationFailed):
    """The process has nearly as many memory maps as the kernel allows; beyond that anything in Python may fail."""

    def __init__(self, maps: int, limit: int, component: "ComponentId | None" = None) -> None:
        way = "raise it (`sysctl vm.max_map_count=1048576`) or give components a max_memory_bytes of 4 MiB or less"
        super().__init__(f"{maps} memory maps of vm.max_map_count ({limit}) are in use; {way}", component)
        self.maps, self.limit = maps, limit


class ComponentNotFound(AirssysError, LookupError):
    """No component is loaded behind this handle or id."""

    def __init__(self, component: "ComponentHandle | ComponentId") -> None:
        super().__init__(f"Component not found: {component}")
        self.component = component


class AlreadyLoaded(AirssysError, ValueError):
    """The id is taken until its component is unloaded."""

    def __init__(self, component: "ComponentId") -> None:
        super().__init__(f"{component} is already loaded; unload it first or choose another instance name")
        self.component = component


class TooManyThreads(AirssysError):
    """Guests that block hold every thread kept for them, and their deadlines have not freed one."""

    def __init__(self, abandoned: int) -> None:
        super().__init__(
            f"{abandoned} abandoned threads are still blocked in WASI; no more blocking guests until some end"
        )
        self.abandoned = abandoned


class ExecutionError(AirssysError):
    """A guest call ended without an answer."""

    def __init__(self, detail: str) -> None:
        super().__init__(f"Execution error: {detail}")
        self.detail = detail


class Trap(ExecutionError):
    """WebAssembly trapped: `code` is the kind, `backtrace` the guest's frames when there are any."""

    def __init__(self, detail: str, code: str = "trap", backtrace: str | None = None) -> None:
        super().__init__(detail)
        self.code, self.backtrace = code, backtrace


class FuelExhausted(Trap):
    """The call used up `Limits.max_fuel`."""

    def __init__(self, detail: str = "all fuel consumed", backtrace: str | None = None) -> None:
        super().__init__(detail, "fuel", backtrace)


class DeadlineExceeded(Trap, TimeoutError):
    """The call was still running after `Limits.max_execution_time` seconds."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"the call ran for more than {seconds:g} s", "deadline")
        self.seconds = seconds


class HostFunctionError(Trap):
    """A host function raised; the Python exception is the cause."""

    def __init__(self, function: str, problem: str) -> None:
        super().__init__(f"host function {function} failed: {problem}", "host-function")
        self.function = function


class Interrupted(ExecutionError):
    """The call was stopped on request: `interrupt=True`, `restart()`, or a stop that did not wait."""

    def __init__(self, detail: str = "interrupted") -> None:
        super().__init__(detail)


class GuestError(AirssysError):
    """The guest answered err: `case` of its error variant and `text`, empty where the case has none."""

    def __init__(self, case: str, text: str = "") -> None:
        super().__init__(f"{case}: {text}" if text else case)
        self.case, self.text = case, text


class DeliveryError(AirssysError):
    """A message was not handled; `message` is the message, None where it was never built."""

    def __init__(self, text: str, message: "ComponentMessage | None" = None) -> None:
        super().__init__(text)
        self.message = message


class ComponentCrashed(DeliveryError):
    """The component crashed on this message; `__cause__` says of what, `reason` in one word."""

    def __init__(self, component: "ComponentId", reason: str, message: "ComponentMessage | None" = None) -> None:
        super().__init__(f"{component} crashed: {reason}", message)
        self.component, self.reason = component, reason


Outcome = Literal["withdrawn", "running", "interrupted"]


class RequestTimeout(DeliveryError, TimeoutError):
    """No answer in time. `outcome`: withdrawn (it never ran and never will), running (it goes on), interrupted."""

    def __init__(
        self, component: "ComponentId", timeout: float, outcome: Outcome, message: "ComponentMessage | None" = None
    ) -> None:
        super().__init__(f"{component} did not answer within {timeout:g} s ({outcome})", message)
        self.component, self.timeout, self.outcome = component, timeout, outcome


class ActorStopped(DeliveryError):
    """The component has ended; `reason` says how."""

    def __init__(
        self, component: "ComponentId", reason: "ExitReason | None" = None, message: "ComponentMessage | None" = None
    ) -> None:
        super().__init__(f"{component} has stopped" + (f": {reason}" if reason else ""), message)
        self.component, self.reason = component, reason


class MailboxFull(DeliveryError):
    """No room for the message by count or by bytes; or its mailbox's policy, `rule`, dropped it for another one."""

    def __init__(self, component: "ComponentId", message: "ComponentMessage | None" = None, *, rule: str = "") -> None:
        super().__init__(f"the mailbox of {component} is full" + (f"; its policy is {rule}" if rule else ""), message)
        self.component, self.rule = component, rule


class TargetNotFound(DeliveryError, LookupError):
    """No component has this id."""

    def __init__(self, component: "ComponentId", message: "ComponentMessage | None" = None) -> None:
        super().__init__(f"no component {component}", message)
        self.component = component


class CapabilityDenied(DeliveryError, PermissionError):
    """No grant permits the action, or the target does not receive from the component; `reason` says which."""

    def __init__(
        self,
        component: "ComponentId",
        action: str,
        resource: str,
        message: "ComponentMessage | None" = None,
        *,
        reason: str = "no grant permits it",
    ) -> None:
        super().__init__(f"{component} may not {action} {resource}: {reason}", message)
        self.component, self.action, self.resource, self.reason = component, action, resource, reason


class PolicyViolation(DeliveryError, PermissionError):
    """A rule forbids the action."""

    def __init__(
        self, component: "ComponentId", action: str, resource: str, rule: str, message: "ComponentMessage | None" = None
    ) -> None:
        super().__init__(f"{rule} forbids {component} to {action} {resource}", message)
        self.component, self.action, self.resource, self.rule = component, action, resource, rule


class PayloadTooLarge(DeliveryError, ValueError):
    """A payload is over the receiving component's `Limits.max_payload_bytes`, in a message or in an answer."""

    def __init__(
        self,
        component: "ComponentId",
        payload_bytes: int,
        max_payload_bytes: int,
        message: "ComponentMessage | None" = None,
        *,
        what: str = "payload",
    ) -> None:
        text = f"{what} of {payload_bytes} bytes is over the limit of {max_payload_bytes} of {component}"
        super().__init__(text + "; see Limits.max_payload_bytes", message)
        self.component, self.payload_bytes, self.max_payload_bytes = component, payload_bytes, max_payload_bytes
