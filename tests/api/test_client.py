"""The client over real HTTP: against the simulated service, and against raw bytes."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
import gzip
import json
import math
import traceback
from typing import Any
from urllib.parse import unquote

from aiohttp import (
    ClientSession,
    ClientTimeout,
    TCPConnector,
    TraceConfig,
    TraceRequestChunkSentParams,
)
from aiohttp.hdrs import METH_POST
from aiohttp.test_utils import unused_port
import pytest

from custom_components.rivya.api import (
    DEFAULT_BASE_URL,
    Outcome,
    RetryPolicy,
    RivyaApiError,
    RivyaAuthError,
    RivyaClient,
    RivyaConflictError,
    RivyaConnectionError,
    RivyaCreditsError,
    RivyaDisabledError,
    RivyaError,
    RivyaNotFoundError,
    RivyaNotSentError,
    RivyaRateLimitError,
    RivyaResponseError,
    RivyaScopeError,
    RivyaServerError,
    RivyaValidationError,
    TaskStatus,
    client as client_module,
)
from custom_components.rivya.api.client import (
    MAX_ANSWER_BYTES,
    MAX_RETRY_AFTER,
    retry_after_seconds,
)
from tests.simulator import Fault, Simulator

from .conftest import (
    BODY,
    CREDITS,
    GENERATIONS,
    KEY,
    MODELS,
    PROMPT,
    Connect,
    Naps,
    Wire,
    answer,
    answer_json,
)

ONCE = RetryPolicy(attempts=1)
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)

SHAPELESS = [
    b"",
    b"<html>Bad gateway</html>",
    b"null",
    b"[]",
    b'"error"',
    b"{}",
    b'{"error": null}',
    b'{"error": "oops"}',
    b'{"error": []}',
    b'{"error": {}}',
    b'{"error": {"code": 5, "message": [], "requestId": {}}}',
    b'{"error": {"code": "", "message": "", "requestId": ""}}',
    b"[" * 200_000,
    b"\xff\xfe\x00",
    b"9" * 10_000,
]
"""Bodies that tell nothing of an error."""

type SessionMaker = Callable[[Callable[[], Any]], ClientSession]


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for no answer longer than a moment."""
    monkeypatch.setattr(client_module, "TIMEOUT", ClientTimeout(total=0.05))


async def create(client: RivyaClient, idempotency_key: str = "one") -> Any:
    """Submit the usual generation."""
    return await client.create_generation(BODY, idempotency_key=idempotency_key)


async def failure(call: Any) -> RivyaError:
    """Return the error that a call ends with."""
    with pytest.raises(RivyaError) as caught:
        await call
    return caught.value


def fault(sim: Simulator, kind: Any, **facts: Any) -> Fault:
    """Queue a fault for every request, unless told otherwise."""
    return sim.faults.add(Fault(kind=kind, **({"times": None} | facts)))


def spent(sim: Simulator) -> int:
    """Return the credits that were taken."""
    return sum(charge.credits for charge in sim.books)


# What the contract says, in its order.


async def test_a_generation_is_submitted_followed_and_found_finished(
    client: RivyaClient, sim: Simulator, base_url: str
) -> None:
    task = await create(client)
    assert task.status is TaskStatus.QUEUED
    assert (task.model, task.reserved_credits, task.final_credits) == ("sora-2", 6, 0)
    assert task.urls == ()
    assert task.created_at is not None
    assert task.created_at.utcoffset() == timedelta(0)
    sim.set_status(task.id, "processing")
    assert (await client.get_generation(task.id)).status is TaskStatus.PROCESSING
    sim.finish(task.id)
    done = await client.get_generation(task.id)
    assert done.status is TaskStatus.SUCCEEDED
    assert done.final_credits == 6
    assert done.urls[0].startswith(f"{base_url}/media/")


async def test_a_failed_generation_says_why_and_costs_nothing(
    client: RivyaClient, sim: Simulator
) -> None:
    task = await create(client)
    sim.fail(task.id, "moderated", "Not this.")
    failed = await client.get_generation(task.id)
    assert failed.status is TaskStatus.FAILED
    assert failed.error is not None
    assert (failed.error.code, failed.error.message) == ("moderated", "Not this.")
    assert failed.final_credits == 0
    assert failed.urls == ()


async def test_a_request_is_what_the_contract_asks_for(
    client: RivyaClient, sim: Simulator
) -> None:
    body = BODY | {"params": {"n_frames": "10"}, "client_request_id": "mine"}
    await client.create_generation(body, idempotency_key="one")
    (request,) = sim.requests
    assert (request.method, request.path, request.query) == ("POST", GENERATIONS, {})
    assert request.body == body
    assert request.headers["authorization"] == "Bearer account-1"
    assert request.headers["content-type"] == "application/json"
    assert request.headers["accept"] == "application/json"
    assert request.headers["idempotency-key"] == "one"


async def test_a_question_carries_no_body_and_no_idempotency_key(
    client: RivyaClient, sim: Simulator
) -> None:
    assert await client.get_credits() == 1000
    (request,) = sim.requests
    assert (request.method, request.path) == ("GET", CREDITS)
    assert request.body is None
    assert not {"idempotency-key", "content-type"} & request.headers.keys()


async def test_the_catalog_is_public_and_no_key_is_sent(
    client: RivyaClient, sim: Simulator
) -> None:
    entries = await client.get_models()
    assert len(entries) == 52
    assert entries == sim.catalog
    (request,) = sim.requests_to("GET", MODELS)
    assert "authorization" not in request.headers


async def test_a_catalog_keeps_what_is_an_entry(
    client: RivyaClient, sim: Simulator
) -> None:
    fault(sim, "body", body={"data": [None, 5, "x", [], {"id": "a"}]})
    assert await client.get_models() == [{"id": "a"}]


@pytest.mark.parametrize("body", [{}, {"data": None}, {"data": {}}, {"data": "x"}])
async def test_a_catalog_without_entries_is_none(
    client: RivyaClient, sim: Simulator, body: object
) -> None:
    fault(sim, "body", body=body)
    with pytest.raises(RivyaResponseError, match="not a catalog"):
        await client.get_models()


@pytest.mark.parametrize("value", [None, "5", True, [], {}])
async def test_a_balance_is_a_number(
    client: RivyaClient, sim: Simulator, value: object
) -> None:
    fault(sim, "body", body={"current_credits": value}, times=1)
    fault(sim, "body", body={})
    with pytest.raises(RivyaResponseError, match="not a balance"):
        await client.get_credits()
    with pytest.raises(RivyaResponseError, match="not a balance"):
        await client.get_credits()


@pytest.mark.parametrize("balance", [0, 0.5, -3])
async def test_any_balance_is_possible(
    client: RivyaClient, sim: Simulator, balance: float
) -> None:
    fault(sim, "body", body={"current_credits": balance, "expires": []})
    assert await client.get_credits() == balance


@pytest.mark.parametrize("status", [200, 201, 202, 203])
async def test_any_success_is_a_success(
    client: RivyaClient, sim: Simulator, status: int
) -> None:
    sim.settings.create_status = sim.settings.read_status = status
    task = await create(client)
    assert (await client.get_generation(task.id)).id == task.id


async def test_an_answer_is_read_whatever_it_says_it_is(
    client: RivyaClient, sim: Simulator
) -> None:
    fault(sim, "wrong_content_type")
    assert await client.get_credits() == 1000


async def test_new_fields_and_statuses_are_tolerated(
    client: RivyaClient, sim: Simulator
) -> None:
    fault(sim, "mutate", mutate=lambda right: right | {"status": "dreaming", "x": [1]})
    task = await create(client)
    assert task.status is TaskStatus.UNKNOWN
    assert (await client.get_generation(task.id)).id == task.id


async def test_the_session_stays_the_callers(
    client: RivyaClient, session: ClientSession
) -> None:
    await client.get_credits()
    assert not session.closed


# Addresses, keys and ids.


def test_the_service_lives_where_the_docs_say(session: ClientSession) -> None:
    assert DEFAULT_BASE_URL == "https://rivya.ai"
    assert RivyaClient(session, KEY)


@pytest.mark.parametrize(
    ("suffix", "path"),
    [
        ("", CREDITS),
        ("/", CREDITS),
        ("/gateway", f"/gateway{CREDITS}"),
        ("/a b/ö/", f"/a%20b/%C3%B6{CREDITS}"),
        ("/a%2Fb", f"/a%2Fb{CREDITS}"),
    ],
)
async def test_the_base_url_may_have_a_path(
    connect: Connect, wire: Wire, suffix: str, path: str
) -> None:
    wire.say(answer_json({"current_credits": 5}))
    await connect(wire.url + suffix).get_credits()
    assert wire.heard[0].path == path


@pytest.mark.parametrize(
    "base_url",
    [
        "",
        "rivya.ai",
        "http://",
        "//rivya.ai",
        "ftp://rivya.ai",
        "file:///etc/passwd",
        "http://[bad",
        "http://rivya.ai:99999",
        "http://user:word@rivya.ai",
        "http://:word@rivya.ai",
        "http://rivya.ai?a=b",
        "http://rivya.ai#a",
    ],
)
def test_a_base_url_is_a_plain_web_address(connect: Connect, base_url: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        connect(base_url)
    assert KEY not in str(caught.value)


@pytest.mark.parametrize(
    "key",
    [
        "rvya_sk x",
        "rvya_sk\r\nX-Admin: 1",
        "rvya_sk\n",
        "rvya_sk\t",
        "rvya_sk_ä",
        "rvya_sk_\u200b",
        "\x00",
        "\x7f",
        "\ud800",
    ],
)
def test_a_key_that_no_header_can_carry_is_refused_before_it_is_sent(
    connect: Connect, base_url: str, sim: Simulator, key: str
) -> None:
    with pytest.raises(RivyaAuthError) as caught:
        connect(base_url, key)
    assert caught.value.code == "api_key_invalid"
    assert caught.value.outcome is Outcome.REFUSED
    assert key not in f"{caught.value} {caught.value!r} {caught.value.args}"
    assert sim.requests == []


@pytest.mark.parametrize(
    "task_id",
    [
        "task_1",
        "a/b",
        "../credits",
        "..%2Fcredits",
        "%2e%2e",
        "...",
        "a/../b",
        "a b",
        "a?b=c",
        "a#b",
        "a%2Fb",
        "a\\b",
        "a;b",
        "ä\U0001f30a",
        "' OR 1=1",
        "x" * 500,
    ],
)
async def test_an_id_stays_one_part_of_the_path(
    connect: Connect, wire: Wire, task_id: str
) -> None:
    wire.say(answer_json({"id": task_id, "status": "queued"}))
    task = await connect(wire.url).get_generation(task_id)
    assert task.id == task_id
    (heard,) = wire.heard
    method, path, _ = heard.line.split(" ")
    assert method == "GET"
    prefix, _, segment = path.rpartition("/")
    assert prefix == GENERATIONS
    assert unquote(segment) == task_id
    assert segment.isascii()
    assert not set(segment) & set("?#;\\")


@pytest.mark.parametrize(
    "task_id", ["", ".", "..", "a\r\nX-Admin: 1", "\x00", "\ud800", "x" * 501]
)
async def test_what_cannot_be_an_id_is_not_found_and_not_asked_for(
    client: RivyaClient, sim: Simulator, task_id: str
) -> None:
    error = await failure(client.get_generation(task_id))
    assert isinstance(error, RivyaNotFoundError)
    assert error.code == "not_found"
    assert sim.requests == []


@pytest.mark.parametrize("task_id", ["a/b", "../credits", "a b", "ä", "task_unknown"])
async def test_an_odd_id_is_just_not_found(
    client: RivyaClient, sim: Simulator, task_id: str
) -> None:
    error = await failure(client.get_generation(task_id))
    assert isinstance(error, RivyaNotFoundError)
    assert error.code == "not_found"
    assert len(sim.requests) == 1


# Error answers.


@pytest.mark.parametrize(
    ("status", "code", "cls"),
    [
        (503, "public_api_disabled", RivyaDisabledError),
        (401, "api_key_missing", RivyaAuthError),
        (401, "api_key_invalid", RivyaAuthError),
        (401, "api_key_revoked", RivyaAuthError),
        (401, "api_key_expired", RivyaAuthError),
        (403, "api_scope_denied", RivyaScopeError),
        (429, "rate_limited", RivyaRateLimitError),
        (400, "validation_failed", RivyaValidationError),
        (404, "not_found", RivyaNotFoundError),
        (400, "webhook_url_rejected", RivyaValidationError),
        (400, "chat_model_not_supported", RivyaValidationError),
        (409, "chat_session_conflict", RivyaConflictError),
        (400, "chat_attachment_not_supported", RivyaValidationError),
        (409, "idempotency_conflict", RivyaConflictError),
        (402, "insufficient_credits", RivyaCreditsError),
        (400, "insufficient_credits", RivyaCreditsError),
        (403, "insufficient_credits", RivyaCreditsError),
        (418, "brand_new", RivyaApiError),
        (422, "brand_new", RivyaApiError),
        (408, "brand_new", RivyaServerError),
        (500, "internal_error", RivyaServerError),
        (502, "brand_new", RivyaServerError),
        (503, "brand_new", RivyaServerError),
        (504, "brand_new", RivyaServerError),
    ],
)
async def test_each_error_is_told_with_all_its_facts(
    connect: Connect,
    base_url: str,
    sim: Simulator,
    status: int,
    code: str,
    cls: type[RivyaError],
) -> None:
    client = connect(base_url, retry=ONCE)
    fault(sim, "status", status=status, code=code, message="Because.")
    for call in (create(client), client.get_generation("task"), client.get_models()):
        error = await failure(call)
        assert type(error) is cls
        assert (error.status, error.code, error.detail) == (status, code, "Because.")
        assert error.retry_after is None
        assert error.request_id is not None
        assert str(error) == (
            "Rivya answered with an error "
            f"(HTTP {status}, code {code}, request {error.request_id})"
        )
        unknown = (status >= 500 and code != "public_api_disabled") or status == 408
        assert error.outcome is (Outcome.UNKNOWN if unknown else Outcome.REFUSED)


@pytest.mark.parametrize("state", ["invalid", "revoked", "expired"])
async def test_a_key_that_works_no_more_says_so(
    client: RivyaClient, sim: Simulator, state: Any
) -> None:
    sim.set_key_state(KEY, state)
    error = await failure(client.get_credits())
    assert isinstance(error, RivyaAuthError)
    assert error.code == f"api_key_{state}"
    assert len(sim.requests) == 1


async def test_an_empty_key_is_a_missing_one(connect: Connect, base_url: str) -> None:
    error = await failure(connect(base_url, "").get_credits())
    assert (type(error), error.code) == (RivyaAuthError, "api_key_missing")


async def test_the_service_refuses_for_its_own_reasons(
    client: RivyaClient, sim: Simulator
) -> None:
    account = sim.accounts[0]
    account.scopes.discard("generations:create")
    error = await failure(create(client))
    assert isinstance(error, RivyaScopeError)
    assert "generations:create" in str(error.detail)
    account.scopes.add("generations:create")
    account.credits = 5
    assert isinstance(await failure(create(client)), RivyaCreditsError)
    sim.settings.insufficient_credits_status = 403
    assert isinstance(await failure(create(client)), RivyaCreditsError)
    body = BODY | {"model": "sora-99"}
    error = await failure(client.create_generation(body, idempotency_key="two"))
    assert isinstance(error, RivyaValidationError)
    sim.settings.public_api_enabled = False
    assert isinstance(await failure(client.get_models()), RivyaDisabledError)
    assert spent(sim) == 0


async def test_another_accounts_generation_is_not_found(
    client: RivyaClient, connect: Connect, base_url: str, sim: Simulator
) -> None:
    sim.add_account(key="rvya_sk_other")
    task = await create(connect(base_url, "rvya_sk_other"))
    error = await failure(client.get_generation(task.id))
    assert isinstance(error, RivyaNotFoundError)


@pytest.mark.parametrize(
    ("status", "cls"), [(401, RivyaAuthError), (502, RivyaServerError)]
)
async def test_an_error_of_any_shape_is_told_by_its_status(
    connect: Connect,
    base_url: str,
    sim: Simulator,
    status: int,
    cls: type[RivyaError],
) -> None:
    client = connect(base_url, retry=ONCE)
    for body in SHAPELESS:
        fault(sim, "status", status=status, raw=body, times=1)
        error = await failure(client.get_credits())
        assert type(error) is cls
        assert (error.status, error.code) == (status, None)
        assert (error.request_id, error.detail) == (None, None)
        assert str(error) == f"Rivya answered with an error (HTTP {status})"


async def test_a_long_message_is_cut(client: RivyaClient, sim: Simulator) -> None:
    fault(sim, "status", status=400, code="new_code", message="m" * 5000)
    error = await failure(client.get_credits())
    assert (error.code, error.detail) == ("new_code", "m" * 500)


# Retry-After.


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("0", 0),
        ("3", 3),
        (" 2.5 ", 2.5),
        ("-5", 0),
        ("-inf", 0),
        ("86400", 86400),
        ("86401", 86400),
        ("1e300", 86400),
        ("9" * 400, 86400),
        ("inf", 86400),
        ("nan", None),
        ("", None),
        ("soon", None),
        ("3 seconds", None),
        ("Mon, 32 Foo 2026", None),
        ("Sun, 22 Nov 2026 12:00:30 GMT", 30),
        ("Sun, 22 Nov 2026 12:00:30 -0000", 30),
        ("Sun, 22 Nov 2026 13:00:30 +0100", 30),
        ("Sun, 22 Nov 2026 11:00:00 GMT", 0),
        ("Tue, 22 Nov 2099 11:00:00 GMT", 86400),
        ("Sun, 22 Nov 99999 11:00:00 GMT", None),
        ("Sun, 22 Nov 2026 11:00:00 +9999999999999", None),
    ],
)
def test_retry_after_is_seconds_or_a_date_within_a_day(
    value: str | None, seconds: float | None
) -> None:
    assert retry_after_seconds(value, NOW) == seconds
    assert MAX_RETRY_AFTER == 86400


async def test_retry_after_is_waited_for(
    client: RivyaClient, sim: Simulator, naps: Naps
) -> None:
    fault(sim, "status", status=429, headers={"Retry-After": "3"}, times=2)
    assert await client.get_credits() == 1000
    assert naps == [3, 3]


async def test_a_date_is_waited_for(
    client: RivyaClient, sim: Simulator, naps: Naps
) -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=5), usegmt=True)
    fault(sim, "status", status=503, headers={"Retry-After": date}, times=1)
    await client.get_credits()
    assert 3 <= naps[0] <= 5


@pytest.mark.parametrize(
    ("header", "seconds"), [("60", 60), ("1e9", 86400), ("inf", 86400)]
)
async def test_a_long_retry_after_is_the_callers_business(
    client: RivyaClient, sim: Simulator, naps: Naps, header: str, seconds: float
) -> None:
    fault(sim, "status", status=429, headers={"Retry-After": header})
    error = await failure(client.get_credits())
    assert isinstance(error, RivyaRateLimitError)
    assert error.retry_after == seconds
    assert naps == []
    assert len(sim.requests) == 1


@pytest.mark.parametrize("header", ["nan", "soon", ""])
async def test_a_retry_after_that_says_nothing_is_ignored(
    client: RivyaClient, sim: Simulator, naps: Naps, header: str
) -> None:
    fault(sim, "status", status=429, headers={"Retry-After": header})
    error = await failure(client.get_credits())
    assert error.retry_after is None
    assert len(naps) == 2


async def test_the_services_own_limit_tells_how_long(
    connect: Connect, base_url: str, sim: Simulator
) -> None:
    client = connect(base_url, retry=ONCE)
    sim.settings.rate_limit, sim.settings.rate_window = 1, 3600
    sim.settings.retry_after_header = "seconds"
    await client.get_credits()
    error = await failure(client.get_credits())
    assert isinstance(error, RivyaRateLimitError)
    assert error.retry_after is not None
    assert 0 < error.retry_after <= 3600
    sim.settings.retry_after_header = "date"
    error = await failure(client.get_credits())
    assert error.retry_after is not None
    assert math.isfinite(error.retry_after)


# Repetition: never paid twice.


@pytest.mark.parametrize(
    "facts",
    [
        {"kind": "status", "status": 500},
        {"kind": "status", "status": 502, "effect": True},
        {"kind": "status", "status": 503, "code": "public_api_disabled"},
        {"kind": "status", "status": 504, "effect": True},
        {"kind": "status", "status": 429},
        {"kind": "status", "status": 408},
        {"kind": "drop_before"},
        {"kind": "drop_after"},
        {"kind": "truncated"},
        {"kind": "truncated", "size": 0},
        {"kind": "not_json"},
        {"kind": "not_json", "raw": b""},
        {"kind": "not_json", "status": 204, "raw": b""},
        {"kind": "body", "body": []},
        {"kind": "huge"},
        {"kind": "redirect", "location": "/"},
    ],
    ids=lambda facts: "-".join(map(str, facts.values())),
)
async def test_a_submission_is_repeated_with_the_same_key_and_charged_once(
    client: RivyaClient, sim: Simulator, naps: Naps, facts: dict[str, Any]
) -> None:
    fault(sim, times=2, **facts)
    task = await create(client)
    assert task.status is TaskStatus.QUEUED
    assert len(sim.requests) == 3
    assert {each.headers["idempotency-key"] for each in sim.requests} == {"one"}
    assert all(each.body == BODY for each in sim.requests)
    assert [charge.credits for charge in sim.books] == [6]
    assert len(sim.generations) == 1
    assert 0.375 <= naps[0] <= 0.625
    assert 0.75 <= naps[1] <= 1.25
    assert len(naps) == 2


async def test_every_repetition_is_the_same_to_the_byte(
    base_url: str, connect: Connect, sim: Simulator
) -> None:
    bodies: list[bytes] = []

    async def note(
        _session: Any, _context: Any, params: TraceRequestChunkSentParams
    ) -> None:
        bodies.append(params.chunk)

    trace = TraceConfig()
    trace.on_request_chunk_sent.append(note)
    fault(sim, "status", status=500, times=2)
    body = {"model": "sora-2", "prompt": 'ö "\U0001f30a"', "params": {"n_frames": "10"}}
    async with ClientSession(trace_configs=[trace]) as session:
        client = connect(base_url, session=session)
        await client.create_generation(body, idempotency_key="one")
    assert bodies == [json.dumps(body).encode()] * 3


async def test_without_an_idempotency_key_a_post_is_never_repeated(
    client: RivyaClient, sim: Simulator, naps: Naps
) -> None:
    for kind in ("drop_before", "drop_after", "status", "not_json"):
        sim.requests.clear()
        sim.faults.clear()
        fault(sim, kind)
        await failure(client._request(METH_POST, "generations", body=BODY))
        assert len(sim.requests) == 1
        assert "idempotency-key" not in sim.requests[0].headers
    assert naps == []


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 409, 418, 422])
async def test_a_refusal_is_never_repeated(
    client: RivyaClient, sim: Simulator, naps: Naps, status: int
) -> None:
    fault(sim, "status", status=status, headers={"Retry-After": "1"})
    for call in (create(client), client.get_credits()):
        error = await failure(call)
        assert error.outcome is Outcome.REFUSED
        assert error.retry_after == 1
    assert len(sim.requests) == 2
    assert naps == []
    assert spent(sim) == 0


async def test_a_used_key_is_a_conflict_and_never_retried(
    client: RivyaClient, sim: Simulator, naps: Naps
) -> None:
    await create(client)
    other = BODY | {"prompt": "another tide"}
    error = await failure(client.create_generation(other, idempotency_key="one"))
    assert isinstance(error, RivyaConflictError)
    assert (error.status, error.code) == (409, "idempotency_conflict")
    assert len(sim.requests) == 2
    assert naps == []
    assert spent(sim) == 6


async def test_it_gives_up_after_three_tries(
    client: RivyaClient, sim: Simulator, naps: Naps
) -> None:
    fault(sim, "status", status=500)
    error = await failure(client.get_credits())
    assert isinstance(error, RivyaServerError)
    assert len(sim.requests) == 3
    assert len(naps) == 2


async def test_the_policy_is_the_callers(
    connect: Connect, base_url: str, sim: Simulator, naps: Naps
) -> None:
    client = connect(base_url, retry=RetryPolicy(attempts=5, base=4, ceiling=5))
    fault(sim, "status", status=500)
    await failure(client.get_credits())
    assert len(sim.requests) == 5
    assert all(3 <= nap <= 5 for nap in naps)


async def test_an_answer_that_is_no_generation_is_not_asked_for_again(
    client: RivyaClient, sim: Simulator
) -> None:
    fault(sim, "body", body={"id": None, "status": "queued"}, method="POST")
    error = await failure(create(client))
    assert isinstance(error, RivyaResponseError)
    assert error.outcome is Outcome.UNKNOWN
    assert len(sim.requests) == 1


# Outcomes: what is known of an effect.


async def test_a_refused_connection_has_sent_nothing(
    connect: Connect, naps: Naps
) -> None:
    error = await failure(create(connect(f"http://127.0.0.1:{unused_port()}")))
    assert isinstance(error, RivyaNotSentError)
    assert error.outcome is Outcome.NOT_SENT
    assert (error.status, error.code, error.request_id) == (None, None, None)
    assert len(naps) == 2


async def test_a_failed_handshake_has_sent_nothing(
    connect: Connect, base_url: str, sim: Simulator
) -> None:
    secure = base_url.replace("http://", "https://")
    error = await failure(create(connect(secure)))
    assert isinstance(error, RivyaNotSentError)
    assert error.outcome is Outcome.NOT_SENT
    assert sim.requests == []


async def test_a_name_that_is_not_found_has_sent_nothing(
    connect: Connect, session_with_resolver: SessionMaker
) -> None:
    async def not_found() -> None:
        raise OSError(None, "no such name")

    session = session_with_resolver(not_found)
    error = await failure(create(connect("http://rivya.test", session=session)))
    assert isinstance(error, RivyaNotSentError)
    assert error.outcome is Outcome.NOT_SENT


async def test_a_name_server_that_does_not_answer_has_sent_nothing(
    connect: Connect,
    session_with_resolver: SessionMaker,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert client_module.TIMEOUT.connect is not None
    assert client_module.TIMEOUT.total is not None
    assert client_module.TIMEOUT.connect < client_module.TIMEOUT.total
    timeout = ClientTimeout(total=60, connect=0.05)
    monkeypatch.setattr(client_module, "TIMEOUT", timeout)
    session = session_with_resolver(asyncio.Event().wait)
    client = connect("http://rivya.test", session=session, retry=ONCE)
    error = await failure(create(client))
    assert isinstance(error, RivyaNotSentError)
    assert error.outcome is Outcome.NOT_SENT


async def test_a_session_without_a_free_connection_has_sent_nothing(
    connect: Connect, base_url: str, sim: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    stall = fault(sim, "stall_before")
    monkeypatch.setattr(client_module, "TIMEOUT", ClientTimeout(connect=0.05))
    async with ClientSession(connector=TCPConnector(limit=1)) as session:
        client = connect(base_url, session=session, retry=ONCE)
        first = asyncio.create_task(client.get_credits())
        await stall.reached.wait()
        error = await failure(create(client))
        stall.release()
        assert await first == 1000
    assert isinstance(error, RivyaNotSentError)
    assert sim.requests_to("POST") == []


@pytest.mark.parametrize(
    "facts",
    [
        {"kind": "drop_before"},
        {"kind": "drop_after"},
        {"kind": "truncated"},
        {"kind": "stall_before"},
        {"kind": "stall_after"},
        {"kind": "status", "status": 500},
        {"kind": "status", "status": 502, "effect": True},
        {"kind": "status", "status": 504},
        {"kind": "status", "status": 408},
        {"kind": "not_json"},
        {"kind": "body", "body": None},
        {"kind": "body", "body": {}},
        {"kind": "huge"},
        {"kind": "redirect", "location": "/"},
    ],
    ids=lambda facts: "-".join(map(str, facts.values())),
)
async def test_after_sending_the_outcome_is_unknown(
    connect: Connect,
    base_url: str,
    sim: Simulator,
    impatient: None,
    facts: dict[str, Any],
) -> None:
    fault(sim, **facts)
    error = await failure(create(connect(base_url, retry=ONCE)))
    assert error.outcome is Outcome.UNKNOWN
    assert spent(sim) in (0, 6)


@pytest.mark.parametrize("kind", ["stall_before", "stall_after"])
@pytest.mark.parametrize(
    "limits", [ClientTimeout(total=0.1), ClientTimeout(sock_read=0.1)]
)
async def test_no_answer_in_time_is_an_error_of_its_own(
    connect: Connect,
    base_url: str,
    sim: Simulator,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    limits: ClientTimeout,
) -> None:
    monkeypatch.setattr(client_module, "TIMEOUT", limits)
    fault(sim, kind)
    error = await failure(create(connect(base_url, retry=ONCE)))
    assert type(error) is RivyaConnectionError
    assert str(error) == "Rivya did not answer in time"
    assert len(sim.requests) == 1
    assert spent(sim) == (6 if kind == "stall_after" else 0)


async def test_a_submission_that_timed_out_is_repeated_and_finds_its_first(
    client: RivyaClient, sim: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "TIMEOUT", ClientTimeout(sock_read=0.2))
    fault(sim, "stall_after", times=1)
    task = await create(client)
    assert list(sim.generations) == [task.id]
    assert [each.headers["idempotency-key"] for each in sim.requests] == ["one"] * 2
    assert spent(sim) == 6


async def test_an_answer_in_drops_is_cut_off_by_the_total_time(
    connect: Connect, wire: Wire, impatient: None
) -> None:
    wire.say(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{")
    closed = asyncio.Event()

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(wire.answers[0])
        await reader.read(-1)
        closed.set()
        writer.close()

    async with await asyncio.start_server(hold, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        client = connect(f"http://127.0.0.1:{port}", retry=ONCE)
        error = await failure(client.get_credits())
        await closed.wait()
    assert str(error) == "Rivya did not answer in time"


@pytest.mark.parametrize(
    ("first", "then"),
    [
        ({"kind": "drop_after"}, {"status": 409}),
        ({"kind": "drop_after"}, {"status": 401}),
        ({"kind": "status", "status": 502}, {"status": 400}),
        ({"kind": "truncated"}, {"status": 429, "headers": {"Retry-After": "600"}}),
        ({"kind": "not_json"}, {"status": 503, "code": "public_api_disabled"}),
    ],
    ids=lambda facts: "-".join(map(str, facts.values())),
)
async def test_once_unknown_an_outcome_stays_unknown_whatever_comes_later(
    client: RivyaClient, sim: Simulator, first: dict[str, Any], then: dict[str, Any]
) -> None:
    fault(sim, times=1, **first)
    fault(sim, "status", **then)
    error = await failure(create(client))
    assert error.status == then["status"]
    assert error.outcome is Outcome.UNKNOWN


async def test_an_unknown_outcome_is_of_one_call_alone(
    client: RivyaClient, sim: Simulator
) -> None:
    fault(sim, "status", status=500, times=3)
    assert (await failure(create(client))).outcome is Outcome.UNKNOWN
    fault(sim, "status", status=400)
    assert (await failure(create(client, "two"))).outcome is Outcome.REFUSED


async def test_a_refusal_after_a_try_that_never_left_is_still_a_refusal(
    connect: Connect,
    base_url: str,
    sim: Simulator,
    session_with_resolver: SessionMaker,
) -> None:
    troubles = [OSError(None, "not yet")]

    async def flaky() -> None:
        if troubles:
            raise troubles.pop()

    fault(sim, "status", status=400)
    client = connect(
        base_url.replace("127.0.0.1", "rivya.test"),
        session=session_with_resolver(flaky),
    )
    error = await failure(create(client))
    assert isinstance(error, RivyaValidationError)
    assert error.outcome is Outcome.REFUSED
    assert len(sim.requests) == 1


async def test_who_cancels_is_not_told_of_an_error(
    client: RivyaClient, sim: Simulator
) -> None:
    stall = fault(sim, "stall_after")
    call = asyncio.create_task(create(client))
    await stall.reached.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert len(sim.requests) == 1


# Answers that are none.


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed_and_the_key_stays_here(
    connect: Connect, base_url: str, sim: Simulator, wire: Wire, status: int
) -> None:
    client = connect(base_url, retry=ONCE)
    fault(sim, "redirect", status=status, location=f"{wire.url}{GENERATIONS}")
    for call in (create(client), client.get_credits(), client.get_models()):
        error = await failure(call)
        assert isinstance(error, RivyaResponseError)
        assert error.status == status
        assert "redirected" in str(error)
    assert wire.heard == []
    assert len(sim.requests) == 3


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"5",
        b'"text"',
        b"<!doctype html><title>Sign in</title>",
        b'{"id": "t", "status": ',
        b"{'id': 't'}",
        b"\xff\xfe\x00",
        b"[" * 200_000,
        b'{"a":' * 200_000 + b"1" + b"}" * 200_000,
        b'{"a": ' + b"9" * 10_000 + b"}",
    ],
    ids=lambda body: repr(body[:20]),
)
async def test_a_success_that_is_no_json_object_is_refused(
    connect: Connect, base_url: str, sim: Simulator, body: bytes
) -> None:
    fault(sim, "not_json", raw=body)
    error = await failure(connect(base_url, retry=ONCE).get_credits())
    assert isinstance(error, RivyaResponseError)
    assert error.status == 200


async def test_numbers_that_json_does_not_have_are_none(
    client: RivyaClient, sim: Simulator
) -> None:
    for number in (b"NaN", b"Infinity", b"1e999", b"9" * 400):
        sim.faults.clear()
        fault(sim, "not_json", raw=b'{"current_credits": ' + number + b"}")
        error = await failure(client.get_credits())
        assert isinstance(error, RivyaResponseError)


async def test_an_answer_without_an_end_is_not_read_to_the_end(
    client: RivyaClient, sim: Simulator
) -> None:
    fault(sim, "huge")
    error = await failure(client.get_credits())
    assert str(error) == "Rivya's answer is too large (HTTP 200)"
    assert len(sim.requests) == 3


async def test_an_answer_may_have_the_largest_size_and_no_byte_more(
    connect: Connect, wire: Wire
) -> None:
    client = connect(wire.url, retry=ONCE)
    largest = b'{"current_credits": 5}'.ljust(MAX_ANSWER_BYTES)
    wire.say(answer(largest))
    assert await client.get_credits() == 5
    wire.say(answer(largest + b" "))
    with pytest.raises(RivyaResponseError, match="too large"):
        await client.get_credits()


async def test_a_small_answer_cannot_unfold_without_bounds(
    connect: Connect, wire: Wire
) -> None:
    bomb = gzip.compress(b" " * 50 * 2**20)
    wire.say(answer(bomb, "200 OK", "Content-Encoding: gzip"))
    with pytest.raises(RivyaResponseError, match="too large"):
        await connect(wire.url, retry=ONCE).get_credits()


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"SSH-2.0-OpenSSH_9.9\r\n",
        b"garbage\r\n\r\n",
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: abc\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}",
        answer(b"{}", "200 OK", "Content-Encoding: gzip"),
        answer(b"", "999 What"),
    ],
    ids=lambda said: repr(said[:50]),
)
async def test_bytes_that_are_no_answer_are_our_own_error_without_the_key(
    connect: Connect, wire: Wire, caplog: pytest.LogCaptureFixture, said: bytes
) -> None:
    wire.say(said)
    error = await failure(create(connect(wire.url, retry=ONCE)))
    assert error.outcome is Outcome.UNKNOWN
    assert_silent(error, caplog)


# Secrets.


def assert_silent(error: BaseException, caplog: pytest.LogCaptureFixture) -> None:
    """Check that neither an error nor what led to it nor a log tells a secret."""
    seen = [caplog.text, *traceback.format_exception(error)]
    cause: BaseException | None = error
    while cause is not None:
        seen += [str(cause), repr(cause), repr(cause.args)]
        hidden = cause.__suppress_context__
        cause = cause.__cause__ or (None if hidden else cause.__context__)
    for secret in (KEY, PROMPT, json.dumps(BODY)):
        assert not [text for text in seen if secret in text]


@pytest.mark.parametrize(
    "facts",
    [
        {"kind": "status", "status": 400},
        {"kind": "status", "status": 401},
        {"kind": "status", "status": 409},
        {"kind": "status", "status": 429},
        {"kind": "status", "status": 500},
        {"kind": "status", "status": 502, "raw": f"{KEY} {PROMPT}"},
        {"kind": "drop_before"},
        {"kind": "drop_after"},
        {"kind": "stall_after"},
        {"kind": "truncated"},
        {"kind": "not_json", "raw": f"{KEY} {PROMPT}"},
        {"kind": "body", "body": {"id": [KEY, PROMPT]}},
        {"kind": "huge"},
        {"kind": "redirect", "location": f"http://127.0.0.1/{KEY}"},
    ],
    ids=lambda facts: "-".join(map(str, list(facts.values())[:2])),
)
async def test_a_key_or_prompt_never_appears_in_an_error_or_a_log(
    connect: Connect,
    base_url: str,
    sim: Simulator,
    impatient: None,
    caplog: pytest.LogCaptureFixture,
    facts: dict[str, Any],
) -> None:
    client = connect(base_url, retry=ONCE)
    fault(sim, **{"message": f"Refused: {PROMPT} for {KEY}", **facts})
    assert_silent(await failure(create(client)), caplog)


async def test_a_key_never_appears_in_an_error_of_the_connection(
    connect: Connect, base_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    nobody = f"http://127.0.0.1:{unused_port()}"
    for url in (nobody, base_url.replace("http:", "https:")):
        assert_silent(await failure(create(connect(url))), caplog)


async def test_success_is_silent_too(
    client: RivyaClient, caplog: pytest.LogCaptureFixture
) -> None:
    task = await create(client)
    await client.get_generation(task.id)
    with suppress(RivyaError):
        await client.get_generation("unknown")
    assert KEY not in caplog.text + repr(client) + repr(task)
    assert PROMPT not in caplog.text + repr(client) + repr(task)


async def test_an_answer_about_another_generation_is_refused(
    client: RivyaClient, sim: Simulator
) -> None:
    task = await client.create_generation(BODY, idempotency_key="other")
    other = {"id": "task_of_somebody_else"}
    fault(sim, "mutate", method="GET", mutate=lambda answer: answer | other)
    with pytest.raises(RivyaResponseError):
        await client.get_generation(task.id)


async def test_a_closed_session_sends_nothing(
    client: RivyaClient, session: ClientSession
) -> None:
    await session.close()
    with pytest.raises(RivyaNotSentError):
        await client.get_credits()


@pytest.mark.parametrize("code", ["has a blank", "x" * 101, "", 5, "rvya\nsk"])
async def test_a_code_that_is_no_word_does_not_reach_the_error(
    client: RivyaClient, sim: Simulator, code: object
) -> None:
    body = {"error": {"code": code, "requestId": code, "message": "m"}}
    fault(sim, "status", status=418, raw=json.dumps(body).encode())
    with pytest.raises(RivyaApiError) as error:
        await client.get_credits()
    assert error.value.code is None
    assert error.value.request_id is None
