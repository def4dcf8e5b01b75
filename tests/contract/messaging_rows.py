"""The rows of `host-messaging`."""

import re
from typing import Final

from airssys_wasm import Capabilities, Limits
from tests.contract.rows import UUID4, Row
from tests.contract.stage import NOTHING

HASTY: Final = Limits(send_wait=0.05)
ACCEPTED: Final = re.compile(f"ok {UUID4}")
STOPPED: Final = re.compile("err delivery-failed: demo/failed/0 has stopped")
TOO_LARGE: Final = (
    "err invalid-message: payload of 11 bytes is over the limit of 10 of demo/small/0; see Limits.max_payload_bytes"
)
SHY: Final = "err delivery-failed: demo/asker/0 may not send demo/shy/0: demo/shy/0 does not receive from demo/asker/0"
FIVE_FAILED: Final = (
    "err delivery-failed: 5 of 6 targets failed: 'demo/../0', demo/nobody/0, demo/full/0, demo/small/0, demo/shy/0"
)
BAD_IDS: Final = {
    "a/b|target|0": "namespace 'a/b' contains '/'",
    "demo||0": "name '' is empty",
    "demo|..|0": "name '..' is a directory reference",
    "demo|*|0": "name '*' contains '*'",
    "demo|target|\n": r"instance '\n' contains '\n'",
    f"demo|{'x' * 256}|0": f"name '{'x' * 78}… is longer than 255 characters",
}

SEND: Final = (
    Row(
        covers=("host-messaging.send: ok",),
        behaviour="a granted message is handled by its target",
        steps=(("asker", "send demo|target|0 count", "ok"), ("target", "count", "2")),
    ),
    Row(
        covers=("host-messaging.send: ok",),
        behaviour="what a target answers to a send is dropped",
        steps=(("asker", "send demo|target|0 echo x", "ok"), ("target", "count", "2"), ("asker", "callbacks", "0")),
    ),
    Row(
        covers=("host-messaging.send: ok",),
        behaviour="a component may send to itself",
        steps=(("asker", "send demo|asker|0 count", "ok"), ("asker", "count", "3")),
    ),
    Row(
        covers=("host-messaging.send: ok",),
        behaviour="an empty payload is one",
        steps=(("asker", "send demo|target|0 ", "ok"), ("target", "count", "2")),
    ),
    Row(
        covers=("host-messaging.send: target-not-found",),
        behaviour="an unknown target is named",
        steps=(("asker", "send demo|nobody|0 x", "err target-not-found: demo/nobody/0"),),
    ),
    Row(
        covers=("host-messaging.send: delivery-failed",),
        behaviour="without a grant the reason is said",
        may=NOTHING,
        steps=(
            (
                "asker",
                "send demo|target|0 x",
                "err delivery-failed: demo/asker/0 may not send demo/target/0: no grant permits it",
            ),
        ),
    ),
    Row(
        covers=("host-messaging.send: delivery-failed",),
        behaviour="a target may refuse its sender",
        steps=(
            (
                "asker",
                "send demo|shy|0 x",
                SHY,
            ),
        ),
    ),
    Row(
        covers=("host-messaging.send: delivery-failed",),
        behaviour="a failed component takes no messages",
        steps=(("asker", "send demo|failed|0 x", STOPPED),),
    ),
    Row(
        covers=("host-messaging.send: invalid-message",),
        behaviour="an oversized payload is refused with its size",
        steps=(("asker", "send-size 10 demo|small|0", "ok"), ("asker", "send-size 11 demo|small|0", TOO_LARGE)),
    ),
    Row(
        covers=("host-messaging.send: queue-full",),
        behaviour="a mailbox that stays full",
        limits=HASTY,
        steps=(("asker", "send demo|full|0 x", "err queue-full"),),
    ),
    Row(
        covers=("host-messaging.send: queue-full",),
        behaviour="room in one's own mailbox is not waited for",
        limits=Limits(mailbox_capacity=1, send_wait=3600),
        steps=(
            (
                "asker",
                "send-storm 3 demo|asker|0",
                "ok=1 delivery-failed=0 correlation-timeout=0 invalid-message=0 queue-full=2 target-not-found=0",
            ),
        ),
    ),
    *(
        Row(
            covers=(f"host-messaging.{command.partition(' ')[0]}: invalid-message",),
            behaviour=f"{command.partition(' ')[0]} to what cannot be an id: {number}",
            steps=(("asker", f"{command} {bad} x", f"err invalid-message: component id: {problem}"),),
        )
        for command in ("send", "request 1000")
        for number, (bad, problem) in enumerate(BAD_IDS.items())
    ),
)

REQUEST: Final = (
    Row(
        covers=("host-messaging.request: ok",),
        behaviour="the correlation id is a random UUID",
        steps=(("asker", "request 60000 demo|echo|0 x", ACCEPTED), ("asker", "request 60000 demo|echo|0 x", ACCEPTED)),
    ),
    Row(
        covers=("host-messaging.request: target-not-found",),
        behaviour="an unknown target is named and never calls back",
        steps=(
            ("asker", "request 0 demo|nobody|0 x", "err target-not-found: demo/nobody/0"),
            ("asker", "callbacks", "0"),
        ),
    ),
    Row(
        covers=("host-messaging.request: delivery-failed",),
        behaviour="a grant to broadcast does not permit requests",
        may=Capabilities(broadcast=["*"]),
        steps=(
            (
                "asker",
                "request 0 demo|target|0 x",
                "err delivery-failed: demo/asker/0 may not request demo/target/0: no grant permits it",
            ),
            ("asker", "callbacks", "0"),
        ),
    ),
    Row(
        covers=("host-messaging.request: ok",),
        behaviour="a grant to request permits it and nothing else",
        may=Capabilities(request=["demo/target/0"]),
        steps=(
            ("asker", "request 60000 demo|target|0 none", ACCEPTED),
            (
                "asker",
                "send demo|target|0 x",
                "err delivery-failed: demo/asker/0 may not send demo/target/0: no grant permits it",
            ),
        ),
    ),
    Row(
        covers=("host-messaging.request: delivery-failed",),
        behaviour="a failed component takes no requests",
        steps=(("asker", "request 60000 demo|failed|0 x", STOPPED), ("asker", "callbacks", "0")),
    ),
    Row(
        covers=("host-messaging.request: invalid-message",),
        behaviour="an oversized request is refused and never calls back",
        steps=(("asker", "request 0 demo|small|0 xxxxxxxxxxx", TOO_LARGE), ("asker", "callbacks", "0")),
    ),
    Row(
        covers=("host-messaging.request: queue-full",),
        behaviour="a target's mailbox that stays full",
        limits=HASTY,
        steps=(("asker", "request 60000 demo|full|0 x", "err queue-full"), ("asker", "callbacks", "0")),
    ),
    Row(
        covers=("host-messaging.request: queue-full",),
        behaviour="too many requests without an answer",
        limits=Limits(max_pending_requests=2),
        steps=(
            ("asker", "request 60000 demo|target|0 sleep 60000", ACCEPTED),
            ("asker", "request 60000 demo|target|0 none", ACCEPTED),
            ("asker", "request 60000 demo|target|0 none", "err queue-full"),
            ("asker", "send demo|target|0 none", "ok"),
        ),
    ),
)

OTHERS: Final = (
    Row(
        covers=("host-messaging.cancel-request: ok",),
        behaviour="a request of one's own",
        steps=(("asker", "request-cancel 60000 demo|target|0 sleep 20", ACCEPTED), ("asker", "callbacks", "0")),
    ),
    Row(
        covers=("host-messaging.cancel-request: ok",),
        behaviour="what was never a request",
        steps=(("asker", "cancel no such thing", "ok"), ("asker", "cancel ", "ok")),
    ),
    Row(
        covers=("host-messaging.broadcast: ok",),
        behaviour="every target gets it, one that is named twice gets it twice",
        steps=(
            ("asker", "broadcast demo|target|0,demo|target2|0,demo|target|0 count", "ok"),
            ("target", "count", "3"),
            ("target2", "count", "2"),
        ),
    ),
    Row(
        covers=("host-messaging.broadcast: ok",),
        behaviour="to nobody",
        may=NOTHING,
        steps=(("asker", "broadcast  count", "ok"),),
    ),
    Row(
        covers=("host-messaging.broadcast: delivery-failed",),
        behaviour="goes on past failures of every kind and names them",
        steps=(
            (
                "asker",
                "broadcast demo|nobody|0,demo|..|0,demo|full|0,demo|small|0,demo|shy|0,demo|target|0 twelve bytes",
                FIVE_FAILED,
            ),
            ("target", "count", "2"),
        ),
    ),
    Row(
        covers=("host-messaging.broadcast: delivery-failed",),
        behaviour="a target without a grant does not hold up the others",
        may=Capabilities(broadcast=["demo/target2/0"]),
        steps=(
            (
                "asker",
                "broadcast demo|target|0,demo|target2|0 count",
                "err delivery-failed: 1 of 2 targets failed: demo/target/0",
            ),
            ("target2", "count", "2"),
            ("target", "count", "1"),
        ),
    ),
    Row(
        covers=("host-messaging.self-id: ok",),
        behaviour="the id it is loaded under",
        may=NOTHING,
        steps=(("asker", "self-id", "demo/asker/0"),),
    ),
)

ROWS: Final = (*SEND, *REQUEST, *OTHERS)

_CANCEL: Final = "cancelling cannot fail: what is not there is cancelled already"
_ONE_ANSWER: Final = "of several targets each may fail in its own way; delivery-failed names them all"
CANNOT: Final = {
    "host-messaging.send: correlation-timeout": "a send has no answer to wait for",
    "host-messaging.request: correlation-timeout": "an answer that does not come in time is a callback",
    **{
        f"host-messaging.{function}: {case}": why
        for function, why in (("cancel-request", _CANCEL), ("broadcast", _ONE_ANSWER))
        for case in ("delivery-failed", "correlation-timeout", "invalid-message", "queue-full", "target-not-found")
        if (function, case) != ("broadcast", "delivery-failed")
    },
}
"""Cases that the types allow and that never come, and why."""
