"""Rivya's HTTP in front of the simulator: routes, error bodies, faults."""

from collections.abc import Awaitable, Callable
import json
from typing import Any, cast

from aiohttp import hdrs, web

from .errors import ApiError, error_body, invalid
from .media import MediaCache
from .records import Account, RecordedRequest
from .serving import serve_media
from .state import Simulator

SIMULATOR = web.AppKey("simulator", Simulator)
MEDIA = web.AppKey("media", MediaCache)
API = "/api/v1"

type Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def create_app(simulator: Simulator) -> web.Application:
    """Return the service as an application, one per simulator."""
    app = web.Application(
        middlewares=[_outermost],
        client_max_size=0,
        # A stalled or dropped request ends when its connection does.
        handler_args={"handler_cancellation": True},
    )
    app[SIMULATOR] = simulator
    app[MEDIA] = MediaCache(simulator.settings)
    app.router.add_get(f"{API}/models", _models)
    app.router.add_post(f"{API}/generations", _create)
    app.router.add_get(f"{API}/generations/{{task_id}}", _generation)
    app.router.add_get(f"{API}/credits", _credits)
    app.router.add_get("/media/{token}.{extension}", _media)
    app.on_shutdown.append(_let_go)
    return app


async def _let_go(app: web.Application) -> None:
    """Release what faults hold back, so that the server can stop."""
    app[SIMULATOR].faults.release()


@web.middleware
async def _outermost(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Record the request, apply a fault, answer."""
    simulator = request.app[SIMULATOR]
    record = await _record(simulator, request)
    request_id = simulator.ids.new("req")
    fault = simulator.faults.take(record)
    try:
        if fault is None:
            response: web.StreamResponse = await _answer(request, handler, request_id)
        else:
            await fault.before(request, simulator.faults.sleep)
            right = None
            if not fault.prevents:
                right = await _answer(request, handler, request_id)
            response = await fault.answer(request, right, request_id)
        record.status = response.status
    finally:
        if close := request.get("close"):
            close()
    return response


async def _record(simulator: Simulator, request: web.Request) -> RecordedRequest:
    """Write a request down as it arrived, without its key."""
    headers = {name.lower(): value for name, value in request.headers.items()}
    if "authorization" in headers:
        headers["authorization"] = simulator.access.anonymous(headers["authorization"])
    raw = await request.read()
    record = RecordedRequest(
        method=request.method,
        path=request.path,
        query=dict(request.query),
        headers=headers,
        body=_parsed(raw),
        at=simulator.clock(),
    )
    simulator.requests.append(record)
    return record


def _parsed(raw: bytes) -> Any:
    """Return the JSON of a body, the bytes when it is none, None when it is empty."""
    try:
        return json.loads(raw) if raw else None
    except ValueError:
        return raw


async def _answer(
    request: web.Request, handler: Handler, request_id: str
) -> web.Response:
    """Return the right answer, refusals in the contract's error body."""
    try:
        _check_open(request)
        # No route of this service answers with anything else.
        return cast("web.Response", await handler(request))
    except ApiError as error:
        body = error_body(error.code, error.message, request_id)
        return web.json_response(body, status=error.status, headers=error.headers)
    except web.HTTPException:
        # An unknown path, or a method it does not have.
        body = error_body("not_found", "Not found.", request_id)
        return web.json_response(body, status=404)


def _check_open(request: web.Request) -> None:
    """Refuse every API request while the API is switched off (503)."""
    is_open = request.app[SIMULATOR].settings.public_api_enabled
    if not is_open and request.path.startswith(API):
        message = "The public API is temporarily unavailable."
        raise ApiError("public_api_disabled", message)


def _account(request: web.Request, scope: str) -> Account:
    """Return whose request this is, or refuse it."""
    authorization = request.headers.get(hdrs.AUTHORIZATION)
    return request.app[SIMULATOR].access.authorize(authorization, scope)


def _base(request: web.Request) -> str:
    """Return where result links of an answer point."""
    base = request.app[SIMULATOR].settings.media_base
    return (base or str(request.url.origin())).rstrip("/")


def _read(request: web.Request, body: dict[str, Any]) -> web.Response:
    """Return a successful answer to a reading request."""
    return web.json_response(body, status=request.app[SIMULATOR].settings.read_status)


async def _models(request: web.Request) -> web.Response:
    """GET /models: public, no key needed."""
    return _read(request, request.app[SIMULATOR].models())


async def _create(request: web.Request) -> web.Response:
    """POST /generations."""
    simulator = request.app[SIMULATOR]
    account = _account(request, "generations:create")
    key = request.headers.get("Idempotency-Key")
    generation = simulator.create(account, await _json(request), key)
    request["close"] = lambda: simulator.idempotency.close(account, key)
    now = simulator.describe(generation, _base(request))
    answer = simulator.idempotency.answer(account, key, now)
    return web.json_response(answer, status=simulator.settings.create_status)


async def _json(request: web.Request) -> Any:
    """Return the JSON of a body, or refuse it."""
    if request.content_type != "application/json":
        raise invalid("Content-Type must be application/json.")
    try:
        return json.loads(await request.read())
    except ValueError as error:
        raise invalid("The request body is not valid JSON.") from error


async def _generation(request: web.Request) -> web.Response:
    """GET /generations/{task_id}."""
    simulator = request.app[SIMULATOR]
    account = _account(request, "generations:read")
    generation = simulator.generation(account, request.match_info["task_id"])
    return _read(request, simulator.describe(generation, _base(request)))


async def _credits(request: web.Request) -> web.Response:
    """GET /credits."""
    return _read(
        request,
        {"current_credits": _account(request, "credits:read").credits},
    )


async def _media(request: web.Request) -> web.Response:
    """GET or HEAD one result: public, as long as its link lasts."""
    link = request.app[SIMULATOR].links.get(request.match_info["token"])
    data = await request.app[MEDIA].get(link)
    return serve_media(data, link.item.content_type, request.headers.get(hdrs.RANGE))
