"""The web application: its routes, who may use it, and what it says when something fails."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Sequence
from typing import Annotated, Any

from fastapi import Depends, FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp

from cnnkit.errors import CnnkitError
from cnnkit.serving import page_route, prediction_routes, state_routes, tensorflow_serving
from cnnkit.serving.answer_shapes import JsonAnswer, refused
from cnnkit.serving.gate import Gate
from cnnkit.serving.refusal import Refusal
from cnnkit.serving.serving_state import ServingState, state_of
from cnnkit.version import VERSION

_DESCRIPTION = "Classify images. docs/serve.md of cnnkit has examples."
_bearer = HTTPBearer(auto_error=False, description="The API key, if the server has one.")
_GivenKey = Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]


def application(
    state: ServingState,
    *,
    api_key: str | None = None,
    origins: Sequence[str] = (),
) -> ASGIApp:
    """Return the application.

    Args:
        state: what all requests share.
        api_key: that requests must have; None for none.
        origins: of web pages on other servers that may ask; `*` for all.
    """
    app = FastAPI(
        title="cnnkit", version=VERSION, description=_DESCRIPTION, docs_url=None, redoc_url=None
    )
    app.state.serving = state
    keyed = [] if api_key is None else [Depends(_key_check(api_key))]
    for router in (prediction_routes.router, state_routes.router, tensorflow_serving.router):
        app.include_router(router, dependencies=keyed)
    for router in (state_routes.open_router, page_route.router):
        app.include_router(router)
    app.add_exception_handler(Refusal, _refusal)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _wrong_value)
    app.add_exception_handler(CnnkitError, _failure)
    app.add_exception_handler(ClientDisconnect, _gone)
    app.add_exception_handler(Exception, _bug)
    if origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(origins),
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "Content-Type"],
        )
    return Gate(app, state)


def _key_check(api_key: str) -> Callable[..., Any]:
    wanted = api_key.encode()

    async def check(given: _GivenKey) -> None:
        # In constant time, so that the key cannot be guessed letter by letter.
        if given is None or not hmac.compare_digest(given.credentials.encode("latin-1"), wanted):
            text = "The API key is missing or wrong. Send it as `Authorization: Bearer KEY`."
            raise Refusal(401, text, kind="unauthorized")

    return check


async def _refusal(request: Request, refusal: Refusal) -> Response:
    return refused(refusal)


async def _http_error(request: Request, error: HTTPException) -> Response:
    allowed = (error.headers or {}).get("Allow", "another method")
    texts = {404: "There is no such address.", 405: f"This address takes {allowed}."}
    facts = {"error": texts.get(error.status_code, str(error.detail)), "kind": "usage"}
    return JsonAnswer(facts, error.status_code, error.headers)


async def _wrong_value(request: Request, error: RequestValidationError) -> Response:
    found = [f"{'.'.join(map(str, each['loc'][1:]))}: {each['msg']}" for each in error.errors()]
    return refused(Refusal(422, f"Wrong values in the address: {'; '.join(found)}."))


async def _failure(request: Request, error: CnnkitError) -> Response:
    """Answer if the model fails, for example because the memory is full."""
    state_of(request).log.event("failure", error=str(error))
    return refused(Refusal(503, str(error), kind=error.kind, retry_seconds=10))


async def _gone(request: Request, error: ClientDisconnect) -> Response:
    return Response(status_code=499)  # nobody reads it


async def _bug(request: Request, error: Exception) -> Response:
    return refused(Refusal(500, "The server has a fault. Its log says more.", kind="bug"))
