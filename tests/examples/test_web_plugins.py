"""Customers' code in a web application: a real server, real clients, hostile guests."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import attrs
import pytest

from airssys_wasm.core.limits import MIB
from airssys_wasm.runtime.engine import WasmtimeEngine
from airssys_wasm.testing import DATA_AT, contract_component
from examples.web_plugins.app import LIMITS, create_app
from tests.contract.stage import binary
from tests.examples.server import Client, served
from tests.guests import wat

TOKENS = {"first": "acme", "second": "globex"}
TIGHT = attrs.evolve(LIMITS, max_execution_time=1.0, max_memory_bytes=8 * MIB, max_component_bytes=100_000)


def answering(name: str) -> bytes:
    """A component that answers its name of three letters."""
    return contract_component(f"(call $some (i32.const {DATA_AT}) (i32.const 3))", data=name, name=name)


@pytest.fixture
async def clients() -> AsyncIterator[tuple[Client, Client]]:
    """Two customers of one server."""
    async with served(create_app(TOKENS, limits=TIGHT)) as address:
        yield Client(address, "first"), Client(address, "second")


async def test_each_customer_is_served_by_its_own_component(clients: tuple[Client, Client]) -> None:
    """Its state and its storage are its own; a token is all that says whose."""
    acme, globex = clients
    assert 404 == (await acme("POST", b"x")).status
    for client in clients:
        assert 201 == (await client("PUT", binary("hostile"))).status
    assert b"ok" == (await acme("POST", b"storage-set key secret")).body
    assert (b"ok some secret", b"ok none") == (
        (await acme("POST", b"storage-get key")).body,
        (await globex("POST", b"storage-get key")).body,
    )
    # The hostile guest counts all its messages.
    answers = [(await client("POST", b"count")).body for client in (acme, acme, globex)]
    assert [b"3", b"4", b"2"] == answers
    assert b"err delivery-failed" in (await acme("POST", b"send customers|globex|0 hello")).body
    assert 401 == (await Client(acme.address, "third")("POST", b"x")).status
    assert 401 == (await Client(acme.address, "")("PUT", b"x")).status
    assert 204 == (await acme("DELETE")).status
    assert (404, 200) == ((await acme("GET")).status, (await globex("GET")).status)


async def test_what_a_component_does_is_a_status_and_it_serves_on(clients: tuple[Client, Client]) -> None:
    """Answers, errors, crashes and limits, each with its own; restarts are seen in its description."""
    acme, globex = clients
    await asyncio.gather(*(client("PUT", binary("hostile")) for client in clients))
    expected = {
        b"echo hello": (200, b"hello"),
        b"none": (204, b""),
        b"err runtime-error not today": (422, b'{"error":"GuestError","detail":"runtime-error: not today"}'),
    }
    for payload, (status, answer) in expected.items():
        got = await acme("POST", payload)
        assert (status, answer) == (got.status, got.body)
    assert (502, "ComponentCrashed") == ((crashed := await acme("POST", b"trap")).status, crashed.json["error"])
    looping = asyncio.create_task(acme("POST", b"loop"))
    assert b"1" == (await globex("POST", b"count")).body
    assert (504, 200) == ((await looping).status, (await acme("POST", b"echo x")).status)
    assert (502, 200) == ((await acme("POST", b"memory-bomb")).status, (await acme("POST", b"echo x")).status)
    described = (await acme("GET")).json
    assert ("running", 3, 3) == (described["state"], described["crashes"], described["restarts"])
    assert 0 == (await globex("GET")).json["crashes"]


async def test_an_answer_is_no_page_of_ours(clients: tuple[Client, Client]) -> None:
    """What a stranger's code says must not run in a browser with our origin."""
    acme, _ = clients
    await acme("PUT", binary("echo"))
    answer = await acme("POST", b"<script>alert(1)</script>")
    assert "application/octet-stream" == answer.headers["content-type"]
    assert "nosniff" == answer.headers["x-content-type-options"]


async def test_a_component_that_has_failed_says_so(clients: tuple[Client, Client]) -> None:
    """After more crashes than its supervisor takes; others serve on."""
    acme, globex = clients
    await asyncio.gather(acme("PUT", contract_component("unreachable")), globex("PUT", binary("echo")))
    seen = [(await acme("POST", b"x")).status for _ in range(5)]
    assert ([502] * 4 + [503], 200) == (seen, (await globex("POST", b"x")).status)
    assert "failed" == (await acme("GET")).json["state"]


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A component as native code, as the compile cache has it: to load it would be to run it unchecked."""
    folder = tmp_path_factory.mktemp("native")

    async def compile_it() -> None:
        async with WasmtimeEngine(cache=folder) as engine:
            await engine.compile(binary("echo"), LIMITS)

    asyncio.run(compile_it())
    (file,) = folder.glob("*.cwasm")
    return file.read_bytes()[:90_000]


@pytest.mark.parametrize(
    ("upload", "status", "detail"),
    [
        (b"", 415, "is empty"),
        (b"(component)", 415, "is WebAssembly text"),
        (wat.CORE_MODULE, 415, "is a core module"),
        (b"compiled", 415, "is no WebAssembly"),
        (binary("echo")[:-100], 415, ""),
        (wat.empty_component(), 422, "component-lifecycle"),
        (wat.unknown_import(), 422, "other:pkg/thing"),
        (contract_component(initialize="unreachable"), 422, "unreachable"),
        (b"x" * 100_001, 413, "at most 100000 bytes"),
        ([b"x" * 60_000, b"x" * 60_000], 413, "at most 100000 bytes"),
    ],
    ids=["empty", "text", "module", "native", "cut", "exports", "imports", "initialize", "large", "large in pieces"],
)
async def test_a_bad_upload_is_refused_and_leaves_nothing(
    clients: tuple[Client, Client], compiled: bytes, upload: bytes | list[bytes], status: int, detail: str
) -> None:
    """With its reason; the next one is taken."""
    acme, _ = clients
    got = await acme("PUT", compiled if upload == b"compiled" else upload)
    assert (status, True) == (got.status, detail in got.body.decode())
    assert 404 == (await acme("GET")).status
    assert 201 == (await acme("PUT", binary("echo"))).status


async def test_a_request_that_is_too_large_or_too_slow_is_refused(
    clients: tuple[Client, Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the component hears of it."""
    acme, _ = clients
    await acme("PUT", binary("echo"))
    assert 413 == (await acme("POST", b"x" * (TIGHT.max_payload_bytes + 1))).status
    monkeypatch.setattr("examples.web_plugins.app.BODY_SECONDS", 0.05)

    reader, writer = await asyncio.open_connection("127.0.0.1", int(acme.address.rpartition(":")[2]))
    writer.write(b"POST /plugin HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer first\r\nContent-Length: 10\r\n\r\nx")
    assert b"HTTP/1.1 408 " == (await reader.readuntil(b"408 "))
    writer.close()
    await writer.wait_closed()
    assert 0 == (await acme("GET")).json["handled"]


async def test_many_requests_at_once_are_all_answered(clients: tuple[Client, Client]) -> None:
    """One at a time by each component, in whatever order."""
    for client in clients:
        await client("PUT", answering("yes"))
    answers = await asyncio.gather(*(client("POST", b"x") for client in clients for _ in range(100)))
    assert Counter({b"yes": 200}) == Counter(answer.body for answer in answers)
    assert [100, 100] == [(await client("GET")).json["handled"] for client in clients]


async def test_it_shuts_down_cleanly_with_a_request_under_way(tmp_path: Path) -> None:
    """And what was stored is there for the next one."""
    app = create_app(TOKENS, limits=TIGHT, storage=tmp_path / "plugins.db")
    async with served(app, timeout_graceful_shutdown=5) as address:
        acme = Client(address, "first")
        await acme("PUT", binary("hostile"))
        await acme("POST", b"storage-set key kept")
        looping = asyncio.create_task(acme("POST", b"loop"))
        while not (await acme("GET")).json["seconds"]:
            pass
    assert 504 == (await looping).status
    async with served(create_app(TOKENS, limits=TIGHT, storage=tmp_path / "plugins.db")) as address:
        acme = Client(address, "first")
        await acme("PUT", binary("hostile"))
        assert b"ok some kept" == (await acme("POST", b"storage-get key")).body


async def test_an_upload_replaces_the_present_one_while_it_serves(clients: tuple[Client, Client]) -> None:
    """No request fails; from the answer to the upload on, the new one answers. What was stored stays."""
    acme, _ = clients
    assert 201 == (await acme("PUT", answering("one"))).status
    under_way = [asyncio.create_task(acme("POST", b"x")) for _ in range(60)]
    assert 200 == (await acme("PUT", answering("two"))).status
    assert b"two" == (await acme("POST", b"x")).body
    answers = [await request for request in under_way]
    assert {200} == {answer.status for answer in answers}
    assert {b"one", b"two"} >= {answer.body for answer in answers}
    assert ("two", 0) == ((described := (await acme("GET")).json)["name"], described["crashes"])


async def test_what_a_component_stored_is_there_for_the_next_one(clients: tuple[Client, Client]) -> None:
    """It is the customer's, however it was replaced."""
    acme, _ = clients
    await acme("PUT", binary("hostile"))
    await acme("POST", b"storage-set key kept")
    assert 200 == (await acme("PUT", answering("one"))).status
    assert 200 == (await acme("PUT", binary("hostile"))).status
    assert b"ok some kept" == (await acme("POST", b"storage-get key")).body


@pytest.mark.parametrize(
    ("upload", "status"),
    [(wat.CORE_MODULE, 415), (wat.empty_component(), 422), (contract_component(initialize="unreachable"), 422)],
    ids=["module", "exports", "initialize"],
)
async def test_a_bad_replacement_leaves_the_present_one_serving(
    clients: tuple[Client, Client], upload: bytes, status: int
) -> None:
    """Its customer hears why."""
    acme, _ = clients
    await acme("PUT", answering("one"))
    assert status == (await acme("PUT", upload)).status
    assert b"one" == (await acme("POST", b"x")).body


async def test_a_replacement_that_keeps_crashing_is_taken_back(clients: tuple[Client, Client]) -> None:
    """The one before it serves again."""
    acme, _ = clients
    await acme("PUT", answering("one"))
    assert 200 == (await acme("PUT", contract_component("unreachable"))).status
    answers = [await acme("POST", b"x") for _ in range(6)]
    assert (502, b"one") == (answers[0].status, answers[-1].body)


async def test_a_component_that_has_failed_is_replaced(clients: tuple[Client, Client]) -> None:
    """An upload is the way out."""
    acme, _ = clients
    await acme("PUT", contract_component("unreachable"))
    while 503 != (await acme("POST", b"x")).status:
        pass
    assert 200 == (await acme("PUT", answering("one"))).status
    assert b"one" == (await acme("POST", b"x")).body
