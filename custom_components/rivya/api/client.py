"""The client of Rivya's Public API v1."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
import json
import math
import re
from typing import Any, Final
from urllib.parse import quote

import aiohttp
from aiohttp.hdrs import METH_GET, METH_POST
from yarl import URL

from .exceptions import (
    Outcome,
    RivyaAuthError,
    RivyaConnectionError,
    RivyaError,
    RivyaNotFoundError,
    RivyaNotSentError,
    RivyaResponseError,
    RivyaScopeError,
    api_error_class,
)
from .models import (
    Task,
    is_task_id,
    number_or_none,
    text_or_none,
    word_or_none,
)
from .retry import RetryPolicy

DEFAULT_BASE_URL: Final = "https://rivya.ai"
"""Where the service lives (API docs, basics)."""

TIMEOUT: Final = aiohttp.ClientTimeout(
    total=90, connect=15, sock_connect=10, sock_read=60
)
MAX_ANSWER_BYTES: Final = 8 * 2**20
MAX_RETRY_AFTER: Final = 86400.0
_CHUNK = 64 * 2**10
# The scopes of the API docs (keys and scopes), wherever a message mentions one.
_SCOPE = re.compile(r"\b(?:chat|credits|files|generations|models|webhooks):[a-z]+")

# Raised by aiohttp before a single byte of the request has left.
_NOT_SENT = (
    aiohttp.ClientConnectorError,
    aiohttp.ConnectionTimeoutError,
)


class RivyaClient:
    """One API key at one base URL. The session is the caller's and stays open."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        api_key: str,
        *,
        base_url: str = DEFAULT_BASE_URL,
        retry: RetryPolicy | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Prepare the client; nothing is sent.

        Args:
            session: Makes the connections.
            api_key: The account's key, ``rvya_sk_...``.
            base_url: Scheme, host and optional path in front of ``/api/v1``.
            retry: How one call repeats its request.
            sleep: Waits for a number of seconds between two tries.

        Raises:
            RivyaAuthError: The key holds characters that no header can carry.
            ValueError: The base URL is no plain web address.

        """
        if not api_key.isascii() or not api_key.isprintable() or " " in api_key:
            raise RivyaAuthError(
                "The API key holds characters that no key has", code="api_key_invalid"
            )
        self._session = session
        self._authorization = f"Bearer {api_key}"
        self._base_url = _plain_address(base_url)
        self._retry = retry or RetryPolicy()
        self._sleep = sleep

    async def get_credits(self) -> float:
        """Return the credits in the wallet, which Rivya's Studio shares.

        Raises:
            RivyaError: See :mod:`.exceptions`.

        """
        answer = await self._request(METH_GET, "credits", scope="credits:read")
        if (credits_left := number_or_none(answer.get("current_credits"))) is None:
            raise RivyaResponseError("Rivya's answer is not a balance")
        return credits_left

    async def get_models(self) -> list[Mapping[str, Any]]:
        """Return the live catalog's entries as they are. Public: no key is sent.

        Raises:
            RivyaError: See :mod:`.exceptions`.

        """
        answer = await self._request(METH_GET, "models", authorized=False)
        if not isinstance(entries := answer.get("data"), list):
            raise RivyaResponseError("Rivya's answer is not a catalog")
        return [entry for entry in entries if isinstance(entry, Mapping)]

    async def create_generation(
        self, body: Mapping[str, Any], *, idempotency_key: str
    ) -> Task:
        """Submit a generation, which costs credits, at most once per key.

        Args:
            body: ``model``, ``prompt``, ``params`` and ``client_request_id`` as
                they go on the wire.
            idempotency_key: Made and kept before the first try; the same for
                every repetition of this body.

        Raises:
            RivyaError: Its ``outcome`` tells whether credits may have been spent.

        """
        return Task.from_dict(
            await self._request(
                METH_POST,
                "generations",
                body=body,
                idempotency_key=idempotency_key,
                scope="generations:create",
            )
        )

    async def get_generation(self, task_id: str) -> Task:
        """Return a generation; the only source of truth for its state.

        Raises:
            RivyaNotFoundError: Unknown, or owned by another account.
            RivyaError: See :mod:`.exceptions`.

        """
        if not is_task_id(task_id):
            # Least of all "..", which a gateway would take for a step up.
            raise RivyaNotFoundError("No generation has such an id", code="not_found")
        task = Task.from_dict(
            await self._request(
                METH_GET,
                f"generations/{quote(task_id, safe='')}",
                scope="generations:read",
            )
        )
        if task.id != task_id:
            raise RivyaResponseError("Rivya's answer is about another generation")
        return task

    async def _request(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
        authorized: bool = True,
        scope: str | None = None,
    ) -> dict[str, Any]:
        """Return the JSON object of a 2xx answer; repeat where that is safe."""
        headers = {"Accept": "application/json"}
        if authorized:
            headers["Authorization"] = self._authorization
        if idempotency_key is not None:
            headers["Idempotency-Key"] = idempotency_key
        data = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            data = json.dumps(body).encode()
        attempt, perhaps_done = 1, False
        while True:
            try:
                return await self._send(method, path, headers, data)
            except RivyaError as error:
                if isinstance(error, RivyaScopeError):
                    error.scope = error.scope or scope
                perhaps_done |= error.outcome is Outcome.UNKNOWN
                if perhaps_done:
                    error.outcome = Outcome.UNKNOWN
                delay = self._retry.delay(
                    error,
                    attempt,
                    repeatable=method == METH_GET or idempotency_key is not None,
                )
                if delay is None:
                    raise
            await self._sleep(delay)
            attempt += 1

    async def _send(
        self, method: str, path: str, headers: dict[str, str], data: bytes | None
    ) -> dict[str, Any]:
        """Send one request and read its answer, or raise what it ended with."""
        if self._session.closed:
            raise RivyaNotSentError("The connections are closed already")
        url = URL(f"{self._base_url}/api/v1/{path}", encoded=True)
        try:
            async with self._session.request(
                method,
                url,
                headers=headers,
                data=data,
                timeout=TIMEOUT,
                allow_redirects=False,
            ) as response:
                return _answer(response, await _read(response))
        except _NOT_SENT as err:
            raise RivyaNotSentError("No connection to Rivya") from err
        except TimeoutError as err:
            raise RivyaConnectionError("Rivya did not answer in time") from err
        except aiohttp.ClientResponseError:
            # Its repr holds the request's headers and with them the key.
            raise RivyaResponseError("Rivya's answer cannot be read") from None
        except aiohttp.ClientError as err:
            raise RivyaConnectionError("The connection to Rivya broke") from err


def _plain_address(base_url: str) -> str:
    """Return a base URL as it goes on the wire, without a slash at its end.

    Raises:
        ValueError: It is no web address, or has more than a host and a path.

    """
    url = URL(base_url)
    if url.scheme not in ("http", "https") or not url.host or "@" in url.raw_authority:
        raise ValueError("The base URL must be a web address without a user")
    if url.query_string or url.fragment:
        raise ValueError("The base URL must end with its path")
    return str(url).rstrip("/")


async def _read(response: aiohttp.ClientResponse) -> bytes:
    """Return the whole body, unless it is larger than any answer can be."""
    body = bytearray()
    async for chunk in response.content.iter_chunked(_CHUNK):
        body += chunk
        if len(body) > MAX_ANSWER_BYTES:
            raise RivyaResponseError(
                "Rivya's answer is too large", status=response.status
            )
    return bytes(body)


def _answer(response: aiohttp.ClientResponse, body: bytes) -> dict[str, Any]:
    """Return the object of a 2xx answer and raise for any other."""
    try:
        answer = json.loads(body)
    except ValueError, RecursionError:
        answer = None
    if response.status >= 400:  # noqa: PLR2004 - the class of HTTP statuses
        raise _api_error(response, answer)
    if response.status >= 300:  # noqa: PLR2004 - likewise
        raise RivyaResponseError(
            "Rivya redirected the request, which is not followed",
            status=response.status,
        )
    if not isinstance(answer, dict):
        raise RivyaResponseError(
            "Rivya's answer is not a JSON object", status=response.status
        )
    return answer


def _api_error(response: aiohttp.ClientResponse, answer: object) -> RivyaError:
    """Build the error of an error answer (API docs, errors and limits)."""
    facts = answer.get("error") if isinstance(answer, dict) else None
    if not isinstance(facts, dict):
        facts = {}
    code = word_or_none(facts.get("code"))
    error = api_error_class(response.status, code)(
        "Rivya answered with an error",
        code=code,
        status=response.status,
        request_id=word_or_none(facts.get("requestId")),
        retry_after=retry_after_seconds(
            response.headers.get("Retry-After"), datetime.now(UTC)
        ),
        detail=text_or_none(facts.get("message")),
    )
    if isinstance(error, RivyaScopeError):
        named = _SCOPE.search(error.detail or "")
        error.scope = named[0] if named else None
    return error


def retry_after_seconds(value: str | None, now: datetime) -> float | None:
    """Return the seconds that a Retry-After header asks for, or None.

    The header holds seconds or a date (RFC 9110); Rivya does not document it.
    Anything beyond a day counts as a day.
    """
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            date = parsedate_to_datetime(value)
        except ValueError:
            return None
        seconds = (date.replace(tzinfo=date.tzinfo or UTC) - now).total_seconds()
    if math.isnan(seconds):
        return None
    return min(max(seconds, 0.0), MAX_RETRY_AFTER)
