"""Faults on demand: what a network and a bad day do to the next requests."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
import json
from typing import Any, Literal, NoReturn

from aiohttp import web

from .errors import error_body
from .records import RecordedRequest

type FaultKind = Literal[
    "drop_before",
    "drop_after",
    "stall_before",
    "stall_after",
    "slow",
    "status",
    "truncated",
    "not_json",
    "wrong_content_type",
    "body",
    "mutate",
    "huge",
    "redirect",
    "expired_url",
]

CHUNK = b" " * 65536
HTML = "<!doctype html><title>Bad gateway</title><h1>Something went wrong</h1>"
WITHOUT_EFFECT = {"drop_before", "status", "redirect", "expired_url"}
DEFAULT_STATUS = {"status": 500, "redirect": 307, "expired_url": 403}
CODES = {
    401: "api_key_invalid",
    403: "api_scope_denied",
    404: "not_found",
    429: "rate_limited",
}


@dataclass(eq=False, kw_only=True)
class Fault:
    """One fault, for requests of a method to a path (`paths.covers`); None: any."""

    kind: FaultKind
    method: str | None = None
    path: str | None = None
    times: int | None = 1
    """How many requests it hits; None means every one."""
    after: int = 0
    """How many matching requests pass unharmed first."""
    effect: bool | None = None
    """Whether the request is processed although its answer is replaced. None: no for
    `status`, `redirect` and `expired_url`, yes for every other replaced answer."""
    status: int | None = None
    """HTTP status; None is the kind's own, or that of the right answer."""
    code: str | None = None
    message: str = "Simulated fault."
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes | str | None = None
    """The body to send as it is, for `status` and `not_json`."""
    body: Any = None
    """The JSON value to answer with, for `body`."""
    content_type: str | None = None
    mutate: Callable[[dict[str, Any]], Any] | None = None
    """Makes the wrong answer out of the right one, for `mutate`."""
    location: str | None = None
    size: int | None = None
    """Bytes of a `huge` answer (None: no end) or of a `truncated` one (None: half)."""
    delay: float = 0.0
    """Seconds of a `slow` answer, waited with the simulator's `sleep`."""
    hits: int = 0
    """How many requests it has hit."""
    reached: asyncio.Event = field(default_factory=asyncio.Event, repr=False)
    """Set once a request has been hit; for a stall, once it waits."""
    released: asyncio.Event = field(default_factory=asyncio.Event, repr=False)

    def __post_init__(self) -> None:
        """Let an expired link be a link unless told otherwise."""
        if self.kind == "expired_url" and self.path is None:
            self.path = "/media"

    def release(self) -> None:
        """Let go what this fault holds back; it is then answered rightly."""
        self.released.set()

    @property
    def spent(self) -> bool:
        """Whether it has hit all it was meant for."""
        return self.times is not None and self.hits >= self.times

    @property
    def prevents(self) -> bool:
        """Whether the request must not be processed."""
        return self.kind in WITHOUT_EFFECT if self.effect is None else not self.effect

    async def before(
        self, request: web.Request, sleep: Callable[[float], Awaitable[None]] | None
    ) -> None:
        """Do what happens before the request has any effect."""
        match self.kind:
            case "drop_before":
                await _drop(request)
            case "stall_before":
                await self._stall()
            case "slow" if sleep:
                self.reached.set()
                await sleep(self.delay)
            case "slow":
                await self._stall()

    async def answer(
        self,
        request: web.Request,
        right: web.Response | None,
        request_id: str,
    ) -> web.StreamResponse:
        """Return what is sent instead of the right answer; None: there is none."""
        match self.kind:
            case "drop_after":
                await _drop(request)
            case "stall_after":
                await self._stall()
            case "status" | "redirect" | "expired_url":
                return self._refusal(request_id)
            case "huge":
                return await self._huge(request)
        response = web.Response() if right is None else right
        if self.kind == "truncated":
            await self._truncate(request, response)
        return self._altered(response)

    async def _stall(self) -> None:
        """Wait until released; a closed connection cancels the wait."""
        self.reached.set()
        await self.released.wait()

    def _refusal(self, request_id: str) -> web.Response:
        """Return an answer of this fault's own."""
        status = self.status or DEFAULT_STATUS[self.kind]
        headers = dict(self.headers)
        if self.location is not None:
            headers["Location"] = self.location
        if self.raw is not None:
            return web.Response(
                status=status,
                body=_bytes(self.raw),
                headers=headers,
                content_type=self.content_type or "text/plain",
            )
        code = self.code or CODES.get(status, "internal_error")
        return web.json_response(
            error_body(code, self.message, request_id), status=status, headers=headers
        )

    def _altered(self, response: web.Response) -> web.Response:
        """Return the right answer, made wrong in the way of this kind."""
        match self.kind:
            case "not_json":
                response.body = _bytes(HTML if self.raw is None else self.raw)
                response.content_type = self.content_type or "text/html"
            case "wrong_content_type":
                response.content_type = self.content_type or "text/plain"
            case "body":
                response.body = json.dumps(self.body).encode()
            case "mutate" if self.mutate:
                right = json.loads(_bytes(response.body))
                response.body = json.dumps(self.mutate(right)).encode()
        if self.status is not None:
            response.set_status(self.status)
        response.headers.update(self.headers)
        return response

    async def _huge(self, request: web.Request) -> web.StreamResponse:
        """Send more than anyone wants to read, until the size or the client ends it."""
        headers = {
            "Content-Type": self.content_type or "application/json",
            **self.headers,
        }
        response = web.StreamResponse(status=self.status or 200, headers=headers)
        response.content_length = self.size
        await response.prepare(request)
        sent = 0
        while self.size is None or sent < self.size:
            rest = len(CHUNK) if self.size is None else self.size - sent
            await response.write(CHUNK[:rest])
            sent += len(CHUNK[:rest])
        await response.write_eof()
        return response

    async def _truncate(self, request: web.Request, right: web.Response) -> NoReturn:
        """Announce the whole body, send a part of it, hang up."""
        body = _bytes(right.body)
        response = web.StreamResponse(status=right.status, headers=right.headers)
        response.content_length = len(body)
        await response.prepare(request)
        await response.write(body[: len(body) // 2 if self.size is None else self.size])
        await _drop(request, abort=False)


class Faults:
    """The faults; the first that matches a request and is not spent hits it."""

    def __init__(self, sleep: Callable[[float], Awaitable[None]] | None = None) -> None:
        """Start without faults; without `sleep`, a `slow` one waits to be released."""
        self.sleep = sleep
        self.queue: list[Fault] = []

    def add(self, fault: Fault) -> Fault:
        """Queue a fault and return it."""
        self.queue.append(fault)
        return fault

    def clear(self) -> None:
        """Release and forget every fault."""
        self.release()
        self.queue.clear()

    def release(self) -> None:
        """Let go everything held back."""
        for fault in self.queue:
            fault.release()

    def take(self, request: RecordedRequest) -> Fault | None:
        """Return the fault that hits a request, counting it."""
        for fault in self.queue:
            if fault.spent or not request.matches(fault.method, fault.path):
                continue
            if fault.after > 0:
                fault.after -= 1
                continue
            fault.hits += 1
            if fault.kind not in {"stall_before", "stall_after", "slow"}:
                fault.reached.set()
            return fault
        return None


def _bytes(body: object) -> bytes:
    """Return a body as bytes."""
    if isinstance(body, str):
        return body.encode()
    return body if isinstance(body, bytes) else b""


async def _drop(request: web.Request, *, abort: bool = True) -> NoReturn:
    """Close the connection and never answer; its end cancels this very handler."""
    if request.transport is not None:
        if abort:
            request.transport.abort()
        else:
            request.transport.close()
    await asyncio.get_running_loop().create_future()
    raise AssertionError  # pragma: no cover - the connection's end came first
