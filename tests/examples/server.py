"""A real server on a port of its own, and a client that speaks HTTP to it from threads."""

import asyncio
import json
import socket
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any, final

import attrs
import uvicorn

PATIENCE = 30.0


@final
@attrs.frozen
class Answer:
    """What came back."""

    status: int
    body: bytes
    headers: dict[str, str]

    @property
    def json(self) -> Any:
        """The body, where it is JSON."""
        return json.loads(self.body)


@final
@attrs.frozen
class Client:
    """Speaks for one customer."""

    address: str
    token: str

    async def __call__(self, method: str, body: bytes | Iterable[bytes] | None = None) -> Answer:
        """One request; a status that is an error is an answer too."""
        return await asyncio.to_thread(self._request, method, body)

    def _request(self, method: str, body: bytes | Iterable[bytes] | None) -> Answer:
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/octet-stream"}
        request = urllib.request.Request(f"{self.address}/plugin", body, headers, method=method)  # noqa: S310 - http
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as response:  # noqa: S310 - as above
                return Answer(response.status, response.read(), dict(response.headers))
        except urllib.error.HTTPError as exc:
            with exc:
                return Answer(exc.code, exc.read(), dict(exc.headers))


@asynccontextmanager
async def served(app: Any, **settings: Any) -> AsyncIterator[str]:
    """Serve an application; its address. Leaving shuts it down as a signal would."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        config = uvicorn.Config(app, lifespan="on", log_level="critical", log_config=None, **settings)
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve([listening]))
        while not server.started and not serving.done():  # noqa: ASYNC110 - the server has no event for it
            await asyncio.sleep(0.005)
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            await serving
