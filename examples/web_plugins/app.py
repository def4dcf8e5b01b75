"""A web application whose customers bring their own code: WebAssembly components, one per customer.

    python -m pip install '.[http]'
    PLUGIN_TOKENS='s3cret=acme,t0ken=globex' python examples/web_plugins/app.py

| request, with `Authorization: Bearer TOKEN` | does |
|---|---|
| `PUT /plugin`, the body a component | loads it (201), or replaces the present one while that serves (200) |
| `POST /plugin`, any body | has it answer: 200 with the answer, 204 when it answers none |
| `GET /plugin` | says how it is |
| `DELETE /plugin` | stops it (204) |

Whatever a component does, the application lives on and so do the others; the caller gets one of

| status | when |
|---|---|
| 401 | the token is nobody's |
| 404 | the customer has no component |
| 408, 413 | the body came too slowly, or is too large |
| 409 | another upload of this customer is under way |
| 415, 422 | an upload is no component, or does not fit or start; a component answered with an error of its own (422) |
| 502 | the component crashed on this request, and is being restarted |
| 503 | it has failed, or is being stopped; upload another one |
| 504 | it took too long, or the requests before this one did |
"""

import asyncio
import contextlib
import hmac
import os
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import attrs
import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from airssys_wasm import (
    ActorHandle,
    ActorStopped,
    ActorSystem,
    AirssysError,
    AlreadyLoaded,
    Capabilities,
    ComponentCrashed,
    ComponentId,
    DeadlineExceeded,
    ExportNotFound,
    GuestError,
    InstantiationFailed,
    InvalidComponent,
    Limits,
    MailboxFull,
    PayloadTooLarge,
    RequestTimeout,
    TargetNotFound,
    UpgradeFailed,
    UpgradeUnderWay,
)

MIB = 1024 * 1024
LIMITS = Limits(
    max_component_bytes=32 * MIB,
    max_memory_bytes=32 * MIB,
    max_execution_time=2.0,
    max_payload_bytes=MIB,
    mailbox_capacity=100,
    mailbox_bytes=8 * MIB,
    storage_bytes=MIB,
)
"""What one customer's component may use. The other half of a sandbox is `GRANTS`."""

GRANTS = Capabilities(storage=["read", "write"])
"""Its own storage, which no other component sees. It can reach no other component, no file and no network."""

PATIENCE = 5.0
"""Seconds for a request, its wait behind others included."""

BODY_SECONDS = 30.0
STATUS = {
    TargetNotFound: 404,
    PayloadTooLarge: 413,
    AlreadyLoaded: 409,
    UpgradeUnderWay: 409,
    InvalidComponent: 415,
    ExportNotFound: 422,
    InstantiationFailed: 422,
    UpgradeFailed: 422,
    GuestError: 422,
    ComponentCrashed: 502,
    ActorStopped: 503,
    MailboxFull: 503,
    RequestTimeout: 504,
}


@attrs.frozen
class Plugins:
    """The components of all customers, in one system."""

    system: ActorSystem
    limits: Limits = LIMITS

    async def install(self, customer: str, component: bytes) -> bool:
        """Load a customer's component, or put it in the place of the one that serves; True for the first."""
        handle = self.system.get(_id(customer))
        if handle is None:
            # What an earlier component of this customer has stored is the customer's.
            await self.system.load(
                _id(customer), component, capabilities=GRANTS, limits=self.limits, inherit_storage=True
            )
            return True
        # Started beside the old one, and given its place between two requests: none fails, none is lost. If it
        # crashes in its first seconds, the old one serves again.
        await self.system.upgrade(handle, component)
        return False

    async def ask(self, customer: str, payload: bytes) -> bytes | None:
        """Have a customer's component answer."""
        return await self._handle(customer).ask(payload, timeout=PATIENCE)

    async def remove(self, customer: str) -> None:
        """Stop a customer's component; what it stored stays."""
        await self.system.unload(self._handle(customer))

    def describe(self, customer: str) -> dict[str, object]:
        """How a customer's component is."""
        seen = self._handle(customer).statistics()
        metadata = seen.metadata
        return {
            "name": metadata.name if metadata else None,
            "version": metadata.version if metadata else None,
            "state": seen.state,
            "handled": seen.handled,
            "errors": seen.guest_errors,
            "crashes": seen.crashes,
            "restarts": seen.restarts,
            "seconds": round(seen.guest_time, 6),
            "waiting": seen.mailbox.waiting,
        }

    def _handle(self, customer: str) -> ActorHandle:
        handle = self.system.get(_id(customer))
        if handle is None:
            raise TargetNotFound(_id(customer))
        return handle


def _id(customer: str) -> ComponentId:
    return ComponentId("customers", customer, "0")


def create_app(tokens: Mapping[str, str], *, limits: Limits = LIMITS, **settings: Any) -> Starlette:
    """The application.

    Args:
        tokens: whose customer each token is.
        limits: of each customer's component.
        settings: of `ActorSystem`, such as `storage` and `max_total_memory_bytes`.
    """

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with ActorSystem("web-plugins", **settings) as system:
            app.state.plugins, app.state.tokens = Plugins(system, limits), dict(tokens)
            yield

    routes = [
        Route("/plugin", upload, methods=["PUT"]),
        Route("/plugin", ask, methods=["POST"]),
        Route("/plugin", describe, methods=["GET"]),
        Route("/plugin", remove, methods=["DELETE"]),
    ]
    return Starlette(routes=routes, lifespan=lifespan, exception_handlers={AirssysError: refuse})


async def upload(request: Request) -> Response:
    plugins, customer = of(request)
    component = await body(request, plugins.limits.max_component_bytes)
    first = await plugins.install(customer, component)
    return JSONResponse(plugins.describe(customer), status_code=201 if first else 200)


async def ask(request: Request) -> Response:
    plugins, customer = of(request)
    answer = await plugins.ask(customer, await body(request, plugins.limits.max_payload_bytes))
    if answer is None:
        return Response(status_code=204)
    # A browser must not take what a stranger's code answered for a page of ours.
    return Response(answer, media_type="application/octet-stream", headers={"X-Content-Type-Options": "nosniff"})


async def describe(request: Request) -> Response:
    plugins, customer = of(request)
    return JSONResponse(plugins.describe(customer))


async def remove(request: Request) -> Response:
    plugins, customer = of(request)
    await plugins.remove(customer)
    return Response(status_code=204)


def of(request: Request) -> tuple[Plugins, str]:
    """The plugins, and whose of them this request is about: the token alone decides."""
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    known: dict[str, str] = request.app.state.tokens
    for token, customer in known.items():
        if scheme.lower() == "bearer" and hmac.compare_digest(token.encode(), given.encode()):
            return request.app.state.plugins, customer
    raise HTTPException(401, "no such token", headers={"WWW-Authenticate": "Bearer"})


async def body(request: Request, most: int) -> bytes:
    """The whole body, unless it is too large or too slow."""
    read, size = bytearray(), 0
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.stream():
                size += len(chunk)
                if size <= most:
                    read += chunk
                elif size > 2 * most:  # up to here a client that is still sending gets to see the answer
                    break
    except TimeoutError as exc:
        raise HTTPException(408, f"not within {BODY_SECONDS} s", headers={"Connection": "close"}) from exc
    if size > most:
        raise HTTPException(413, f"at most {most} bytes", headers={"Connection": "close"})
    return bytes(read)


async def refuse(_request: Request, exc: Exception) -> Response:
    """What went wrong, as a status and JSON."""
    status = next((STATUS[kind] for kind in type(exc).__mro__ if kind in STATUS), 500)
    if isinstance(exc.__cause__, DeadlineExceeded):
        status = 504
    headers = {"Retry-After": "1"} if isinstance(exc, ActorStopped | MailboxFull) else None
    return JSONResponse({"error": type(exc).__name__, "detail": str(exc)}, status, headers)


if __name__ == "__main__":
    pairs = (pair.partition("=") for pair in os.environ["PLUGIN_TOKENS"].split(","))
    uvicorn.run(create_app({token: name for token, _, name in pairs}, storage=Path("plugins.db")), port=8000)
