"""The rows that the Python guest plays: at least one function of each interface, as another toolchain calls it."""

import re
from typing import Final

from tests.contract.rows import UUID4, Row

ROWS: Final = (
    Row(
        covers=("component-lifecycle.initialize: ok", "component-lifecycle.handle-message: ok"),
        behaviour="it echoes, and has got its configuration",
        steps=(("asker", "hello ü", "hello ü"), ("asker", "config", "from python")),
    ),
    Row(
        covers=("host-messaging.send: ok", "host-messaging.broadcast: ok", "host-messaging.self-id: ok"),
        behaviour="messages to others",
        steps=(
            ("asker", "self-id", "ok demo/asker/0"),
            ("asker", "send demo|target|0 count", "ok"),
            ("asker", "broadcast demo|target|0,demo|target2|0 count", "ok"),
            ("target", "count", "3"),
            ("target2", "count", "2"),
        ),
    ),
    Row(
        covers=("host-messaging.send: target-not-found", "host-messaging.send: invalid-message"),
        behaviour="errors are values",
        steps=(
            ("asker", "send demo|nobody|0 x", re.compile(r"err MessagingError_TargetNotFound\(.*name='nobody'.*\)")),
            ("asker", "send demo|..|0 x", re.compile(r"err MessagingError_InvalidMessage\(.*\)")),
        ),
    ),
    Row(
        covers=("host-messaging.request: ok", "component-lifecycle.handle-callback: ok"),
        behaviour="a request and its answer",
        steps=(
            ("asker", "request 60000 demo|target|0 echo answered", re.compile(f"ok {UUID4}")),
            ("target", "sleep 20", "ok"),
            ("asker", "last-callback", re.compile(f"{UUID4} answered")),
        ),
    ),
    Row(
        covers=(
            "host-services.log: ok",
            "host-services.current-time: ok",
            "host-services.sleep-millis: ok",
            "host-services.list-components: ok",
        ),
        behaviour="services",
        steps=(
            ("asker", "log a line", "ok"),
            ("asker", "time", re.compile(r"ok \d{10} \d{1,9}")),
            ("asker", "sleep 5", "ok"),
            ("target", "count", "1"),
            ("asker", "list", "ok demo/asker/0\ndemo/target/0"),
        ),
    ),
    Row(
        covers=("storage.get: ok", "storage.set: ok", "storage.set: invalid-key"),
        behaviour="storage",
        steps=(
            ("asker", "storage-set key value ü", "ok"),
            ("asker", "storage-get key", "ok value ü"),
            ("asker", "storage-get other", "ok"),
            ("asker", "storage-set  v", re.compile(r"err StorageError_InvalidKey\(.*\)")),
        ),
    ),
)
