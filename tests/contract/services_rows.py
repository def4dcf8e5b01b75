"""The rows of `host-services`."""

import re
from typing import Final

from airssys_wasm import Capabilities
from tests.contract.rows import Row
from tests.contract.stage import NOTHING

LEVELS: Final = ("trace", "debug", "info", "warn", "error")

ROWS: Final = (
    *(
        Row(
            covers=("host-services.log: ok", f"log-level: {level}"),
            behaviour=f"a line of level {level}",
            may=NOTHING,
            steps=(("asker", f"log {level} text", "ok"), ("asker", f"log-with {level} a=b,c=d text", "ok")),
        )
        for level in LEVELS
    ),
    Row(
        covers=("host-services.current-time: ok",),
        behaviour="seconds and nanoseconds",
        may=NOTHING,
        steps=(("asker", "time", re.compile(r"\d{10} \d{1,9}")),),
    ),
    Row(
        covers=("host-services.current-time-millis: ok",),
        behaviour="milliseconds",
        may=NOTHING,
        steps=(("asker", "millis", re.compile(r"\d{13}")),),
    ),
    Row(
        covers=("host-services.sleep-millis: ok",),
        behaviour="for no time and for some",
        may=NOTHING,
        steps=(("asker", "sleep 0", "ok"), ("asker", "sleep 5", "ok")),
    ),
    Row(
        covers=("host-services.list-components: ok",),
        behaviour="those that the caller may send to, itself included, in the order of their loads",
        steps=(
            ("target", "count", "1"),
            ("echo", "x", "x"),
            ("asker", "list", "demo/asker/0\ndemo/target/0\ndemo/echo/0"),
        ),
    ),
    Row(
        covers=("host-services.list-components: ok",),
        behaviour="a grant for one shows that one, also where a neighbour's name begins like it",
        may=Capabilities(send=["demo/target/*"]),
        steps=(("target2", "count", "1"), ("target", "count", "1"), ("asker", "list", "demo/target/0")),
    ),
    Row(
        covers=("host-services.list-components: ok",),
        behaviour="a grant to request or broadcast is none to send",
        may=Capabilities(request=["*"], broadcast=["*"]),
        steps=(("target", "count", "1"), ("asker", "list", "")),
    ),
    Row(
        covers=("host-services.list-components: ok",),
        behaviour="without a grant nobody is there",
        may=NOTHING,
        steps=(("target", "count", "1"), ("asker", "list", "")),
    ),
    Row(
        covers=("host-services.get-component-metadata: ok",),
        behaviour="what the component says it is",
        steps=(
            ("asker", "meta demo|target|0", "ok demo/target/0 hostile 1.0.0 healthy"),
            ("asker", "meta demo|echo|0", re.compile(r"ok demo/echo/0 echo \S+ healthy")),
            ("asker", "meta demo|asker|0", "ok demo/asker/0 hostile 1.0.0 healthy"),
        ),
    ),
    Row(
        covers=("host-services.get-component-metadata: ok",),
        behaviour="a component that has failed is unhealthy",
        steps=(("asker", "meta demo|failed|0", "ok demo/failed/0 hostile 1.0.0 unhealthy"),),
    ),
    Row(
        covers=("host-services.get-component-metadata: invalid-state",),
        behaviour="an unknown one and what cannot be an id",
        steps=(
            ("asker", "meta demo|nobody|0", "err invalid-state: not found: demo/nobody/0"),
            (
                "asker",
                "meta demo|..|0",
                "err invalid-state: not found: component id: name '..' is a directory reference",
            ),
        ),
    ),
    Row(
        covers=("host-services.get-component-metadata: invalid-state",),
        behaviour="one that the caller may not send to is not there either",
        may=Capabilities(request=["*"], broadcast=["*"]),
        steps=(
            ("asker", "meta demo|target|0", "err invalid-state: not found: demo/target/0"),
            ("asker", "meta demo|nobody|0", "err invalid-state: not found: demo/nobody/0"),
        ),
    ),
)

CANNOT: Final = {
    f"host-services.get-component-metadata: {case}": "a question about another component starts and stops nothing"
    for case in ("initialization-failed", "already-initialized", "not-initialized", "shutdown-failed")
}
"""Cases that the types allow and that never come, and why."""
