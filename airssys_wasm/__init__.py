"""An asyncio-native actor runtime for WebAssembly components.

cli/        the command line: run, check, inspect, compile, bench
system/     puts it together: ActorSystem, pipelines, events
messaging/  carries it: the router
actor/      keeps it alive: mailbox, actor, supervisor, handle
runtime/    runs it: the only folder that imports wasmtime
security/   may it?: capabilities, the guard
core/       values and words: ids, messages, limits, errors, ports
testing/    the test kit: fixtures, scripted guests, a manual clock
wit/        airssys:core@1.0.0, the contract with guests
"""

from airssys_wasm.actor.handle import ActorHandle as ActorHandle
from airssys_wasm.actor.restarts import RestartPolicy as RestartPolicy
from airssys_wasm.actor.strategies import Strategy as Strategy
from airssys_wasm.actor.supervisor import Supervisor as Supervisor
from airssys_wasm.actor.tree_spec import SupervisorSpec as SupervisorSpec
from airssys_wasm.core.calls import BadType as BadType
from airssys_wasm.core.calls import BadValue as BadValue
from airssys_wasm.core.calls import CallError as CallError
from airssys_wasm.core.calls import CallRefused as CallRefused
from airssys_wasm.core.calls import Err as Err
from airssys_wasm.core.calls import FunctionNotFound as FunctionNotFound
from airssys_wasm.core.calls import ImportsUnfit as ImportsUnfit
from airssys_wasm.core.calls import Ok as Ok
from airssys_wasm.core.calls import Some as Some
from airssys_wasm.core.calls import blocking as blocking
from airssys_wasm.core.config import ComponentConfig as ComponentConfig
from airssys_wasm.core.config import Execution as Execution
from airssys_wasm.core.config import Restart as Restart
from airssys_wasm.core.deadlocks import AskDeadlock as AskDeadlock
from airssys_wasm.core.deadlocks import RoomDeadlock as RoomDeadlock
from airssys_wasm.core.errors import ActorStopped as ActorStopped
from airssys_wasm.core.errors import AirssysError as AirssysError
from airssys_wasm.core.errors import AlreadyLoaded as AlreadyLoaded
from airssys_wasm.core.errors import CapabilityDenied as CapabilityDenied
from airssys_wasm.core.errors import ComponentCrashed as ComponentCrashed
from airssys_wasm.core.errors import ComponentNotFound as ComponentNotFound
from airssys_wasm.core.errors import ConfigError as ConfigError
from airssys_wasm.core.errors import DeadlineExceeded as DeadlineExceeded
from airssys_wasm.core.errors import DeliveryError as DeliveryError
from airssys_wasm.core.errors import EngineCreation as EngineCreation
from airssys_wasm.core.errors import ExecutionError as ExecutionError
from airssys_wasm.core.errors import ExportNotFound as ExportNotFound
from airssys_wasm.core.errors import FuelExhausted as FuelExhausted
from airssys_wasm.core.errors import GuestError as GuestError
from airssys_wasm.core.errors import HostFunctionError as HostFunctionError
from airssys_wasm.core.errors import InstantiationFailed as InstantiationFailed
from airssys_wasm.core.errors import Interrupted as Interrupted
from airssys_wasm.core.errors import InvalidComponent as InvalidComponent
from airssys_wasm.core.errors import InvalidId as InvalidId
from airssys_wasm.core.errors import MailboxFull as MailboxFull
from airssys_wasm.core.errors import PayloadTooLarge as PayloadTooLarge
from airssys_wasm.core.errors import PipelineInvalid as PipelineInvalid
from airssys_wasm.core.errors import PolicyViolation as PolicyViolation
from airssys_wasm.core.errors import RequestTimeout as RequestTimeout
from airssys_wasm.core.errors import TargetNotFound as TargetNotFound
from airssys_wasm.core.errors import TooManyMaps as TooManyMaps
from airssys_wasm.core.errors import TooManyThreads as TooManyThreads
from airssys_wasm.core.errors import Trap as Trap
from airssys_wasm.core.exits import ExitKind as ExitKind
from airssys_wasm.core.exits import ExitReason as ExitReason
from airssys_wasm.core.exits import LinkBroken as LinkBroken
from airssys_wasm.core.health import HealthCheck as HealthCheck
from airssys_wasm.core.ids import ComponentHandle as ComponentHandle
from airssys_wasm.core.ids import ComponentId as ComponentId
from airssys_wasm.core.limits import Limits as Limits
from airssys_wasm.core.mailboxes import MailboxPolicy as MailboxPolicy
from airssys_wasm.core.mailboxes import MailboxRule as MailboxRule
from airssys_wasm.core.messages import ComponentMessage as ComponentMessage
from airssys_wasm.core.messages import MessageMetadata as MessageMetadata
from airssys_wasm.core.messages import MessagePayload as MessagePayload
from airssys_wasm.core.observations import ActorState as ActorState
from airssys_wasm.core.observations import ActorStatistics as ActorStatistics
from airssys_wasm.core.observations import Compilation as Compilation
from airssys_wasm.core.observations import ComponentReport as ComponentReport
from airssys_wasm.core.observations import DeadLetter as DeadLetter
from airssys_wasm.core.observations import DeadLetterReason as DeadLetterReason
from airssys_wasm.core.observations import Event as Event
from airssys_wasm.core.observations import EventKind as EventKind
from airssys_wasm.core.observations import MailboxStatistics as MailboxStatistics
from airssys_wasm.core.observations import SystemStatistics as SystemStatistics
from airssys_wasm.core.observations import Wait as Wait
from airssys_wasm.core.ports import ComponentMetadata as ComponentMetadata
from airssys_wasm.core.ports import HealthStatus as HealthStatus
from airssys_wasm.core.ports import HostState as HostState
from airssys_wasm.core.ports import RuntimeEngine as RuntimeEngine
from airssys_wasm.core.storage import InvalidKey as InvalidKey
from airssys_wasm.core.storage import QuotaExceeded as QuotaExceeded
from airssys_wasm.core.storage import StorageClaimed as StorageClaimed
from airssys_wasm.core.storage import StorageError as StorageError
from airssys_wasm.core.storage import StorageUnavailable as StorageUnavailable
from airssys_wasm.core.storage import StorageUsage as StorageUsage
from airssys_wasm.core.upgrades import UpgradeFailed as UpgradeFailed
from airssys_wasm.core.upgrades import UpgradeUnderWay as UpgradeUnderWay
from airssys_wasm.security.capabilities import Capabilities as Capabilities
from airssys_wasm.security.decision import AuditEntry as AuditEntry
from airssys_wasm.security.explain import Explanation as Explanation
from airssys_wasm.security.learn import Learner as Learner
from airssys_wasm.security.policy import Policy as Policy
from airssys_wasm.security.policy import Rule as Rule
from airssys_wasm.security.sinks import JsonLinesSink as JsonLinesSink
from airssys_wasm.security.sinks import LoggingSink as LoggingSink
from airssys_wasm.security.sinks import MemorySink as MemorySink
from airssys_wasm.system.builder import WasmtimeEngine as WasmtimeEngine
from airssys_wasm.system.supervision import ComponentSpec as ComponentSpec
from airssys_wasm.system.supervision import SupervisorHandle as SupervisorHandle
from airssys_wasm.system.system import ActorSystem as ActorSystem
from airssys_wasm.system.traffic import Published as Published

__all__ = [
    "ActorHandle",
    "ActorState",
    "ActorStatistics",
    "ActorStopped",
    "ActorSystem",
    "AirssysError",
    "AlreadyLoaded",
    "AskDeadlock",
    "AuditEntry",
    "BadType",
    "BadValue",
    "CallError",
    "CallRefused",
    "Capabilities",
    "CapabilityDenied",
    "Compilation",
    "ComponentConfig",
    "ComponentCrashed",
    "ComponentHandle",
    "ComponentId",
    "ComponentMessage",
    "ComponentMetadata",
    "ComponentNotFound",
    "ComponentReport",
    "ComponentSpec",
    "ConfigError",
    "DeadLetter",
    "DeadLetterReason",
    "DeadlineExceeded",
    "DeliveryError",
    "EngineCreation",
    "Err",
    "Event",
    "EventKind",
    "Execution",
    "ExecutionError",
    "ExitKind",
    "ExitReason",
    "Explanation",
    "ExportNotFound",
    "FuelExhausted",
    "FunctionNotFound",
    "GuestError",
    "HealthCheck",
    "HealthStatus",
    "HostFunctionError",
    "HostState",
    "ImportsUnfit",
    "InstantiationFailed",
    "Interrupted",
    "InvalidComponent",
    "InvalidId",
    "InvalidKey",
    "JsonLinesSink",
    "Learner",
    "Limits",
    "LinkBroken",
    "LoggingSink",
    "MailboxFull",
    "MailboxPolicy",
    "MailboxRule",
    "MailboxStatistics",
    "MemorySink",
    "MessageMetadata",
    "MessagePayload",
    "Ok",
    "PayloadTooLarge",
    "PipelineInvalid",
    "Policy",
    "PolicyViolation",
    "Published",
    "QuotaExceeded",
    "RequestTimeout",
    "Restart",
    "RestartPolicy",
    "RoomDeadlock",
    "Rule",
    "RuntimeEngine",
    "Some",
    "StorageClaimed",
    "StorageError",
    "StorageUnavailable",
    "StorageUsage",
    "Strategy",
    "Supervisor",
    "SupervisorHandle",
    "SupervisorSpec",
    "SystemStatistics",
    "TargetNotFound",
    "TooManyMaps",
    "TooManyThreads",
    "Trap",
    "UpgradeFailed",
    "UpgradeUnderWay",
    "Wait",
    "WasmtimeEngine",
    "blocking",
]
