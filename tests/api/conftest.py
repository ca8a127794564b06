"""Fixtures: the simulated service over HTTP, a raw server, naps instead of sleep."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
import json
from typing import Any, NamedTuple, override

from aiohttp import ClientSession, TCPConnector
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.test_utils import TestServer
import pytest

from custom_components.rivya.api import Catalog, RivyaClient
from tests.simulator import Simulator, create_app

KEY = "rvya_sk_test_0123456789"
PROMPT = "The tide comes in, and nobody must read of it"
BODY = {"model": "sora-2", "prompt": PROMPT}
CREDITS = "/api/v1/credits"
GENERATIONS = "/api/v1/generations"
MODELS = "/api/v1/models"

type Connect = Callable[..., RivyaClient]


class Naps(list[float]):
    """A sleep that only notes for how long."""

    async def __call__(self, seconds: float) -> None:
        """Note a pause without making it."""
        self.append(seconds)


class Heard(NamedTuple):
    """One request as its bytes came in."""

    line: str
    headers: dict[str, str]
    body: bytes

    @property
    def path(self) -> str:
        """The path as it stood on the wire."""
        return self.line.split(" ")[1]


class Wire:
    """A server that answers exactly these bytes, and keeps what it hears."""

    def __init__(self) -> None:
        """Start with an empty object as the answer."""
        self.answers: list[bytes] = [answer(b"{}")]
        self.heard: list[Heard] = []
        self.url = ""

    def say(self, *answers: bytes) -> None:
        """Give these answers in turn, the last one for ever."""
        self.answers = list(answers)

    async def serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Hear one request, answer it and hang up."""
        line, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().splitlines()
        pairs = (each.split(": ", 1) for each in lines if each)
        headers = {name.lower(): value for name, value in pairs}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        self.heard.append(Heard(line, headers, body))
        said = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        writer.write(said)
        try:
            await writer.drain()
            writer.close()
            await writer.wait_closed()
        except ConnectionError:
            pass  # the client has had enough


def answer(body: bytes, status: str = "200 OK", *headers: str) -> bytes:
    """Return the bytes of an HTTP answer."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def answer_json(value: object, status: str = "200 OK", *headers: str) -> bytes:
    """Return the bytes of an HTTP answer that carries JSON."""
    return answer(json.dumps(value).encode(), status, *headers)


class Resolver(AbstractResolver):
    """Finds every name on this machine, once it has had its way."""

    def __init__(self, before: Callable[[], Awaitable[None]]) -> None:
        """Do this before each look-up."""
        self._before = before

    @override
    async def resolve(
        self, host: str, port: int = 0, family: int = 0
    ) -> list[ResolveResult]:
        await self._before()
        return [
            ResolveResult(
                hostname=host, host="127.0.0.1", port=port, family=2, proto=0, flags=0
            )
        ]

    @override
    async def close(self) -> None:
        pass


@pytest.fixture(autouse=True)
def _integration() -> None:
    """Leave Home Assistant out of it: the client does not know it."""


@pytest.fixture(autouse=True)
def _sockets(socket_enabled: None) -> None:
    """Let tests talk to servers on this machine."""


@pytest.fixture
def sim() -> Simulator:
    """Return the simulated service with one account."""
    simulator = Simulator()
    simulator.add_account(key=KEY, credits=1000)
    return simulator


@pytest.fixture
async def base_url(sim: Simulator) -> AsyncGenerator[str]:
    """Serve the simulated service."""
    server = TestServer(create_app(sim), host="127.0.0.1")
    await server.start_server(access_log=None)
    yield f"http://127.0.0.1:{server.port}"
    await server.close()


@pytest.fixture
async def wire() -> AsyncGenerator[Wire]:
    """Serve bytes."""
    wire = Wire()
    server = await asyncio.start_server(wire.serve, "127.0.0.1", 0)
    wire.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield wire


@pytest.fixture
async def session() -> AsyncGenerator[ClientSession]:
    """Return a caller's session."""
    async with ClientSession() as session:
        yield session


@pytest.fixture
async def session_with_resolver() -> AsyncGenerator[
    Callable[[Callable[[], Coroutine[Any, Any, None]]], ClientSession]
]:
    """Return a maker of sessions whose look-up of names begins with something else."""
    sessions: list[ClientSession] = []

    def make(before: Callable[[], Coroutine[Any, Any, None]]) -> ClientSession:
        connector = TCPConnector(resolver=Resolver(before), use_dns_cache=False)
        sessions.append(ClientSession(connector=connector))
        return sessions[-1]

    yield make
    for session in sessions:
        await session.close()


@pytest.fixture
def naps() -> Naps:
    """Return what takes down the pauses between tries."""
    return Naps()


@pytest.fixture
def connect(session: ClientSession, naps: Naps) -> Connect:
    """Return a maker of clients for a base URL."""

    def make(base_url: str, key: str = KEY, **kwargs: Any) -> RivyaClient:
        given: dict[str, Any] = {"session": session, "sleep": naps} | kwargs
        return RivyaClient(api_key=key, base_url=base_url, **given)

    return make


@pytest.fixture
def client(connect: Connect, base_url: str) -> RivyaClient:
    """Return a client of the simulated service."""
    return connect(base_url)


@pytest.fixture(scope="session")
def shipped() -> Catalog:
    """Return the tables that come with the client."""
    return Catalog.shipped()
