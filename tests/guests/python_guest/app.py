"""A guest in Python: echoes, unless the payload's first word asks for a host function.

``send ID DATA``, ``broadcast ID,ID DATA``, ``request MS ID DATA``, ``self-id``, ``log TEXT``, ``time``,
``sleep MS``, ``list``, ``storage-set K V``, ``storage-get K``, ``print TEXT``; also ``none``, ``err TEXT``,
``raise``, ``config`` (what initialize got) and ``last-callback``.
An id is written ns|name|inst; "ok ..." and "err ..." show a WIT result, as in hostile.c.
"""

from componentize_py_types import Err
from wit_world import exports
from wit_world.exports.component_lifecycle import ComponentMetadata
from wit_world.imports import host_messaging, host_services, storage
from wit_world.imports.errors import WasmError_RuntimeError
from wit_world.imports.types import ComponentId, HealthStatus, LogLevel


def parse_id(text):
    return ComponentId(*text.split("|"))


def broadcast(ids, data):
    return host_messaging.broadcast([parse_id(part) for part in ids.split(",")], data.encode())


def current_time():
    now = host_services.current_time()
    return f"{now.seconds} {now.nanoseconds}"


def printed(component_id):
    return f"{component_id.namespace}/{component_id.name}/{component_id.instance}"


# Each takes the rest of the payload, split into as many words as it has parameters.
PROBES = {
    "send": (2, lambda target, data: host_messaging.send(parse_id(target), data.encode())),
    "broadcast": (2, broadcast),
    "request": (3, lambda ms, target, data: host_messaging.request(parse_id(target), data.encode(), int(ms))),
    "self-id": (0, lambda: printed(host_messaging.self_id())),
    "log": (1, lambda text: host_services.log(LogLevel.INFO, text, [("guest", "python")])),
    "time": (0, current_time),
    "sleep": (1, lambda ms: host_services.sleep_millis(int(ms))),
    "list": (0, lambda: "\n".join(map(printed, host_services.list_components()))),
    "storage-set": (2, lambda key, value: storage.set(key, value.encode())),
    "storage-get": (1, storage.get),
    "print": (1, print),
}


def probe(word, rest):
    parameters, function = PROBES[word]
    try:
        result = function(*rest.split(" ", parameters - 1)) if parameters else function()
    except Err as err:
        return f"err {err.value}".encode()
    shown = result.decode() if isinstance(result, bytes) else str(result or "")
    return f"ok {shown}".rstrip().encode()


class ComponentLifecycle(exports.ComponentLifecycle):
    config = None
    last_callback = None

    def initialize(self, config):
        ComponentLifecycle.config = config

    def handle_message(self, msg):
        word, _, rest = msg.payload.partition(b" ")
        match word:
            case b"none":
                return None
            case b"err":
                raise Err(WasmError_RuntimeError(rest.decode()))
            case b"raise":
                raise RuntimeError(rest.decode())
            case b"config":
                return self.config.config_data or b""
            case b"last-callback":
                return self.last_callback or b""
        name = word.decode("utf-8", "replace")
        return probe(name, rest.decode()) if name in PROBES else msg.payload

    def handle_callback(self, msg):
        ComponentLifecycle.last_callback = f"{msg.metadata.correlation_id} ".encode() + msg.payload

    def metadata(self):
        return ComponentMetadata("python", "1.0.0", "Echoes, from Python", "airssys", "Apache-2.0", [], stateful=True)

    def health(self):
        return HealthStatus.HEALTHY

    def shutdown(self):
        pass
