"""The simulated service keeps the contract: real HTTP, a clock that is set by hand."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from io import BytesIO
import json
from pathlib import Path
import signal
import sys
from typing import Any
import wave

from aiohttp import (
    ClientPayloadError,
    ClientResponse,
    ClientSession,
    ClientTimeout,
    ServerDisconnectedError,
)
from aiohttp.test_utils import TestServer
import av
from PIL import Image
import pytest

from tests.simulator import Fault, Settings, Simulator, TaskError, create_app

KEY = "rvya_sk_test"
GENERATIONS = "/api/v1/generations"
CREDITS = "/api/v1/credits"
MODELS = "/api/v1/models"
SORA = {"model": "sora-2", "prompt": "the tide coming in"}
IMAGE = {"url": "https://cdn.example.com/a.png", "kind": "image"}
NOON = 1_778_457_600.0  # 2026-05-11T00:00:00Z


@dataclass
class Clock:
    """The time, set by hand."""

    now: float = NOON

    def __call__(self) -> float:
        return self.now


class Client:
    """What a caller with one key sees."""

    def __init__(self, session: ClientSession, key: str | None = KEY) -> None:
        self.session = session
        self.key = key

    def authorization(self) -> dict[str, str]:
        return {} if self.key is None else {"Authorization": f"Bearer {self.key}"}

    async def request(
        self,
        method: str,
        path: str,
        *,
        headers: dict[str, str] | None = None,
        **kwargs: Any,
    ) -> ClientResponse:
        headers = self.authorization() | (headers or {})
        response = await self.session.request(method, path, headers=headers, **kwargs)
        await response.read()
        return response

    async def get(self, path: str, **kwargs: Any) -> tuple[int, Any]:
        response = await self.request("GET", path, **kwargs)
        return response.status, await response.json()

    async def post(
        self, body: Any, key: str | None = None, **kwargs: Any
    ) -> tuple[int, Any]:
        headers = {} if key is None else {"Idempotency-Key": key}
        response = await self.request(
            "POST", GENERATIONS, json=body, headers=headers, **kwargs
        )
        return response.status, await response.json()

    async def create(self, body: Any = SORA, key: str | None = None) -> str:
        status, answer = await self.post(body, key)
        assert status == 200, answer
        return str(answer["id"])

    async def generation(self, task_id: str) -> dict[str, Any]:
        status, answer = await self.get(f"{GENERATIONS}/{task_id}")
        assert status == 200, answer
        return dict(answer)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sim(clock: Clock) -> Simulator:
    simulator = Simulator(clock=clock, settings=Settings(seed=1))
    simulator.add_account(key=KEY, credits=100)
    return simulator


@pytest.fixture
async def client(socket_enabled: None, sim: Simulator) -> AsyncIterator[Client]:
    async with (
        TestServer(create_app(sim)) as server,
        ClientSession(server.make_url("/")) as session,
    ):
        yield Client(session)


@pytest.fixture
def stranger(client: Client) -> Client:
    return Client(client.session, None)


def code(answer: Any) -> str:
    """Return the code of an error body, which has to be whole."""
    assert answer["error"].keys() == {"code", "message", "requestId"}
    assert answer["error"]["message"]
    assert answer["error"]["requestId"].startswith("req_")
    return str(answer["error"]["code"])


def spent(sim: Simulator) -> int:
    return sum(charge.credits for charge in sim.books)


# Access


@pytest.mark.parametrize("header", [None, "Basic abc", "Bearer", "Bearer  "])
async def test_a_request_without_a_key_is_refused(
    stranger: Client, header: str | None
) -> None:
    headers = {"Authorization": header} if header else {}
    for path in (CREDITS, f"{GENERATIONS}/task_1"):
        status, answer = await stranger.get(path, headers=headers)
        assert (status, code(answer)) == (401, "api_key_missing")


@pytest.mark.parametrize("state", ["invalid", "revoked", "expired"])
async def test_a_key_is_refused_by_its_state_and_works_again(
    client: Client, sim: Simulator, state: Any
) -> None:
    sim.set_key_state(KEY, state)
    status, answer = await client.get(CREDITS)
    assert (status, code(answer)) == (401, f"api_key_{state}")
    sim.set_key_state(KEY, "active")
    assert (await client.get(CREDITS))[0] == 200


async def test_an_unknown_key_is_invalid(client: Client) -> None:
    client.key = "rvya_sk_other"
    status, answer = await client.get(CREDITS)
    assert (status, code(answer)) == (401, "api_key_invalid")


async def test_each_endpoint_asks_for_its_scope(client: Client, sim: Simulator) -> None:
    sim.accounts[0].scopes.clear()
    answers = [
        await client.get(CREDITS),
        await client.get(f"{GENERATIONS}/task_1"),
        await client.post(SORA),
    ]
    assert [(status, code(answer)) for status, answer in answers] == [
        (403, "api_scope_denied")
    ] * 3
    named = [answer["error"]["message"].split()[-1] for _, answer in answers]
    assert named == ["credits:read.", "generations:read.", "generations:create."]


async def test_a_switched_off_api_refuses_everything(
    client: Client, sim: Simulator
) -> None:
    sim.settings.public_api_enabled = False
    for answer in (
        await client.get(MODELS),
        await client.get(CREDITS),
        await client.post(SORA),
    ):
        assert (answer[0], code(answer[1])) == (503, "public_api_disabled")


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/api/v1/openapi.json"), ("DELETE", CREDITS), ("GET", "/")],
)
async def test_an_unknown_path_or_method_is_not_found(
    client: Client, method: str, path: str
) -> None:
    response = await client.request(method, path)
    assert (response.status, code(await response.json())) == (404, "not_found")


async def test_credits_are_the_documented_object(client: Client) -> None:
    assert await client.get(CREDITS) == (200, {"current_credits": 100})


async def test_requests_are_remembered_without_the_key(
    client: Client, sim: Simulator
) -> None:
    await client.post(SORA, "intent-1")
    (request,) = sim.requests_to("POST", GENERATIONS)
    assert (request.body, request.status, request.at) == (SORA, 200, NOON)
    assert request.headers["idempotency-key"] == "intent-1"
    assert request.headers["authorization"] == "Bearer account-1"
    assert sim.accounts[0].key not in repr(sim.requests)


async def test_a_body_that_is_no_json_is_remembered_as_bytes(
    client: Client, sim: Simulator
) -> None:
    await client.request(
        "POST", GENERATIONS, data=b"{", headers={"Content-Type": "application/json"}
    )
    assert sim.requests[0].body == b"{"


# Rate limit


async def test_the_window_limits_and_then_opens_again(
    client: Client, sim: Simulator, clock: Clock
) -> None:
    sim.settings.rate_limit, sim.settings.retry_after_header = 2, "seconds"
    clock.now = NOON + 20
    assert [(await client.get(CREDITS))[0] for _ in range(2)] == [200, 200]
    response = await client.request("GET", CREDITS)
    assert (response.status, code(await response.json())) == (429, "rate_limited")
    assert response.headers["Retry-After"] == "40"
    clock.now = NOON + 60
    assert (await client.get(CREDITS))[0] == 200


async def test_retry_after_may_be_a_date_or_absent(
    client: Client, sim: Simulator
) -> None:
    sim.settings.rate_limit = 0
    assert "Retry-After" not in (await client.request("GET", CREDITS)).headers
    sim.settings.retry_after_header = "date"
    response = await client.request("GET", CREDITS)
    assert response.headers["Retry-After"] == "Mon, 11 May 2026 00:01:00 GMT"


@pytest.mark.parametrize(("subject", "expected"), [("key", 200), ("account", 429)])
async def test_two_keys_of_an_account_share_a_limit_if_it_is_the_accounts(
    client: Client, sim: Simulator, subject: Any, expected: int
) -> None:
    sim.settings.rate_limit, sim.settings.rate_limit_per = 1, subject
    sim.add_key(sim.accounts[0], "rvya_sk_second")
    await client.get(CREDITS)
    assert (await Client(client.session, "rvya_sk_second").get(CREDITS))[0] == expected


# Models


async def test_the_catalog_is_public_and_shaped_like_the_example(
    stranger: Client,
) -> None:
    status, answer = await stranger.get(MODELS)
    assert (status, answer["object"], len(answer["data"])) == (200, "list", 52)
    assert next(entry for entry in answer["data"] if entry["id"] == "z-image") == {
        "id": "z-image",
        "display_name": "Z-Image",
        "category": "image",
        "runtime": "async_task",
        "base_credits": 1,
        "billing_type": "FIXED",
        "supported_modes": ["text-to-image"],
        "max_prompt_length": 1000,
        "reference_media": None,
        "params": [],
        "api_status": "available",
        "api_input_status": "available_text",
        "supported_api_inputs": ["text"],
        "requires_files_api": False,
        "requires_upload_for_modes": [],
        "url_input_supported": False,
        "file_kinds": [],
        "chat_capabilities": None,
        "notices": [],
    }


async def test_live_params_may_be_shaped_like_the_tables(
    stranger: Client, sim: Simulator
) -> None:
    sim.settings.live_params = "table"
    _, answer = await stranger.get(MODELS)
    (param,) = next(
        entry["params"] for entry in answer["data"] if entry["id"] == "z-image"
    )
    assert (param["key"], param["type"], param["default"]) == (
        "aspect_ratio",
        "select",
        "1:1",
    )
    assert sim.model("z-image")["params"] == []


async def test_the_live_catalog_decides_what_can_be_called(
    client: Client, sim: Simulator
) -> None:
    sim.model("sora-2").update(api_status="coming_soon", notices=["Retires soon."])
    assert code((await client.post(SORA))[1]) == "validation_failed"
    sim.model("sora-2").update(
        api_status="available", base_credits=7, max_prompt_length=3
    )
    assert code((await client.post(SORA))[1]) == "validation_failed"
    assert (await client.post({"model": "sora-2", "prompt": "sea"}))[1][
        "reserved_credits"
    ] == 7


async def test_a_model_may_be_added_or_leave(client: Client, sim: Simulator) -> None:
    new = sim.model("sora-2") | {"id": "sora-3"}
    sim.catalog.append(new)
    body = {"model": "sora-3", "prompt": "sea", "params": {"duration": "long"}}
    assert (await client.post(body))[0] == 200
    new["params"] = [
        {"key": "seconds", "type": "number", "min": 1, "max": 9},
        {"key": "mood", "type": "select"},
    ]
    assert code((await client.post(body))[1]) == "validation_failed"
    assert (await client.post(body | {"params": {"seconds": 9, "mood": "blue"}}))[
        0
    ] == 200
    sim.catalog.remove(new)
    assert code((await client.post(body))[1]) == "validation_failed"


# Create, status, results


async def test_an_accepted_generation_answers_as_documented(client: Client) -> None:
    status, answer = await client.post({"model": "z-image", "prompt": "a boat"})
    assert status == 200
    assert answer.pop("id").startswith("task_")
    assert answer == {
        "status": "queued",
        "model": "z-image",
        "reserved_credits": 1,
        "final_credits": 0,
        "created_at": "2026-05-11T00:00:00.000Z",
        "updated_at": "2026-05-11T00:00:00.000Z",
        "result": None,
        "error": None,
    }


async def test_a_generation_follows_the_clock(client: Client, clock: Clock) -> None:
    task = await client.create()
    seen = []
    for clock.now in (NOON + 4.9, NOON + 5, NOON + 59.9, NOON + 60, NOON + 600):
        answer = await client.generation(task)
        seen.append(
            (answer["status"], answer["final_credits"], answer["updated_at"][14:19])
        )
    assert seen == [
        ("queued", 0, "00:00"),
        ("processing", 0, "00:05"),
        ("processing", 0, "00:05"),
        ("succeeded", 6, "01:00"),
        ("succeeded", 6, "01:00"),
    ]
    assert answer["result"]["urls"] == [answer["result"]["primary_url"]]
    assert answer["error"] is None


async def test_a_failed_generation_answers_as_documented(
    client: Client, sim: Simulator
) -> None:
    task = await client.create()
    sim.fail(task)
    answer = await client.generation(task)
    assert (answer["status"], answer["final_credits"], answer["result"]) == (
        "failed",
        0,
        None,
    )
    assert answer["error"] == {
        "code": "generation_failed",
        "message": "The generation failed.",
    }


async def test_a_failure_can_be_decided_at_acceptance(
    client: Client, sim: Simulator, clock: Clock
) -> None:
    sim.settings.failure = lambda generation: (
        TaskError("refused") if generation.prompt == "no" else None
    )
    sim.settings.duration = lambda generation: len(generation.prompt or "")
    tasks = [
        await client.create({"model": "sora-2", "prompt": prompt})
        for prompt in ("no", "yes")
    ]
    clock.now += 3
    assert [(await client.generation(task))["status"] for task in tasks] == [
        "failed",
        "succeeded",
    ]
    assert sim.generations[tasks[0]].error == TaskError("refused")


async def test_a_held_generation_ends_when_told(
    client: Client, sim: Simulator, clock: Clock
) -> None:
    first, second, third = [await client.create() for _ in range(3)]
    sim.settings.hold_all = True
    clock.now += 1000
    sim.finish(first)
    sim.release(second)
    assert [sim.generations[task].status for task in (first, second, third)] == [
        "succeeded",
        "succeeded",
        "processing",
    ]
    sim.settings.hold_all = False
    sim.hold(await client.create())
    clock.now += 1000
    assert [one.status for one in sim.generations.values()] == ["succeeded"] * 3 + [
        "processing"
    ]
    with pytest.raises(ValueError, match="already succeeded"):
        sim.fail(third)


async def test_a_status_never_seen_before_can_be_shown(
    client: Client, sim: Simulator, clock: Clock
) -> None:
    task = await client.create()
    clock.now += 100
    sim.set_status(other := await client.create(), "paused_by_moon")
    clock.now += 100
    answer = await client.generation(other)
    assert (answer["status"], answer["result"], answer["updated_at"][14:19]) == (
        "paused_by_moon",
        None,
        "01:40",
    )
    sim.set_status(other, None)
    assert (await client.generation(other))["status"] == "succeeded"
    with pytest.raises(ValueError, match="already succeeded"):
        sim.set_status(task, "paused_by_moon")
    with pytest.raises(ValueError, match="finish"):
        sim.set_status(task, "failed")


async def test_a_generation_is_its_accounts_alone(
    client: Client, sim: Simulator
) -> None:
    task = await client.create()
    sim.add_account(key="rvya_sk_other")
    sim.add_key(sim.accounts[0], "rvya_sk_replacement")
    for key, path, expected in (
        ("rvya_sk_other", task, 404),
        ("rvya_sk_replacement", task, 200),
        (KEY, "task_unknown", 404),
    ):
        assert (await Client(client.session, key).get(f"{GENERATIONS}/{path}"))[
            0
        ] == expected
    with pytest.raises(ValueError, match="exists"):
        sim.add_key(sim.accounts[0], KEY)


async def test_a_new_generation_may_be_invisible_for_a_while(
    client: Client, sim: Simulator, clock: Clock
) -> None:
    sim.settings.visible_after = 2
    task = await client.create()
    status, answer = await client.get(f"{GENERATIONS}/{task}")
    assert (status, code(answer)) == (404, "not_found")
    clock.now += 2
    assert (await client.generation(task))["status"] == "queued"


async def test_success_statuses_and_the_echo_are_settings(
    client: Client, sim: Simulator
) -> None:
    sim.settings.create_status, sim.settings.read_status = 202, 203
    sim.settings.echo_client_request_id = True
    status, answer = await client.post(SORA | {"client_request_id": "order-1"})
    assert (status, answer["client_request_id"]) == (202, "order-1")
    assert (await client.get(f"{GENERATIONS}/{answer['id']}"))[0] == 203


def test_the_same_seed_makes_the_same_ids_whatever_else_was_asked() -> None:
    def ids(requests: int) -> list[str]:
        sim = Simulator(clock=Clock(), settings=Settings(seed="a"))
        account = sim.add_account()
        for _ in range(requests):
            sim.ids.new("req")
        return [sim.create(account, SORA).task_id for _ in range(2)]

    assert ids(0) == ids(5)
    assert len(set(ids(0))) == 2


def test_without_a_clock_it_is_now() -> None:
    sim = Simulator()
    assert sim.create(sim.add_account(), SORA).created_at > NOON


# Validation


def refused(params: dict[str, Any], model: str = "sora-2") -> dict[str, Any]:
    return {"model": model, "prompt": "sea", "params": params}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ([], "JSON object"),
        ({"prompt": "sea"}, "model is required"),
        ({"model": 5, "prompt": "sea"}, "model is required"),
        ({"model": "sora-9", "prompt": "sea"}, "Unknown model"),
        (SORA | {"files": []}, "files is not accepted"),
        (SORA | {"webhook": "x"}, "Unknown field: webhook"),
        ({"model": "sora-2"}, "prompt is required"),
        ({"model": "sora-2", "prompt": " \n"}, "prompt is required"),
        ({"model": "sora-2", "prompt": None}, "prompt must be a string"),
        ({"model": "z-image", "prompt": "é" * 1001}, "longer than 1000"),
        (SORA | {"params": []}, "params must be an object"),
        (SORA | {"params": None}, "params must be an object"),
        (SORA | {"client_request_id": "x" * 129}, "client_request_id"),
        (SORA | {"client_request_id": 5}, "client_request_id"),
        (refused({"n_frame": "10"}), "Unknown parameter: params.n_frame"),
        (refused({"n_frames": 10}), "params.n_frames must be a string"),
        (refused({"n_frames": "20"}), "must be one of 10, 15"),
        (refused({"remove_watermark": True}), "must be a string"),
        (refused({"duration": "5"}, "seedance-2"), "must be a number"),
        (refused({"duration": True}, "seedance-2"), "must be a number"),
        (refused({"duration": 3}, "seedance-2"), "between 4 and 15"),
        (refused({"seed": 10**400}, "google-imagen4-fast"), "must be a number"),
        (refused({"seed": 5}, "google-imagen4"), "must be a string"),
        (refused({}, "elevenlabs-turbo-2-5"), "params.voice is required"),
        (refused({}, "elevenlabs-dialogue-v3"), "params.dialogue is required"),
        (refused({"dialogue": []}, "elevenlabs-dialogue-v3"), "list of lines"),
        (
            refused({"dialogue": [{"voice": "Adam"}]}, "elevenlabs-dialogue-v3"),
            "voice and text",
        ),
        (refused({"dialogue": ["Hello"]}, "elevenlabs-dialogue-v3"), "voice and text"),
        (
            refused({"referenceMediaItems": [IMAGE]}, "z-image"),
            "takes no reference media",
        ),
        (refused({"referenceMediaItems": IMAGE}), "must be a list"),
        (refused({"referenceMediaItems": [IMAGE, IMAGE]}), "at most 1"),
        (refused({"referenceMediaItems": [{"kind": "image"}]}), "url and kind"),
        (refused({"referenceMediaItems": ["https://example.com"]}), "url and kind"),
        (
            refused({"referenceMediaItems": [IMAGE | {"kind": "video"}]}),
            "kind must be one of image",
        ),
        (
            refused({"referenceMediaItems": [IMAGE | {"url": "file:///a"}]}),
            "http or https",
        ),
        (
            refused({"referenceMediaItems": [IMAGE | {"url": "http://[a"}]}),
            "http or https",
        ),
        (
            refused({"referenceMediaItems": [IMAGE | {"mimeType": 5}]}),
            "mimeType has the wrong type",
        ),
        (
            refused({"referenceMediaItems": [IMAGE | {"durationSeconds": False}]}),
            "wrong type",
        ),
        (refused({"referenceMediaItems": [IMAGE | {"size": 5}]}), "unknown field size"),
    ],
)
async def test_a_wrong_body_is_refused_and_costs_nothing(
    client: Client, sim: Simulator, body: Any, message: str
) -> None:
    status, answer = await client.post(body, "intent-1")
    assert (status, code(answer)) == (400, "validation_failed")
    assert message in answer["error"]["message"]
    assert (sim.books, sim.generations, sim.accounts[0].credits) == ([], {}, 100)


@pytest.mark.parametrize(
    ("data", "content_type", "message"),
    [
        (b"null", "application/json", "must be a JSON object"),
        (b"{", "application/json", "not valid JSON"),
        (b"{}", "text/plain", "Content-Type"),
    ],
)
async def test_only_json_is_read(
    client: Client, data: bytes, content_type: str, message: str
) -> None:
    headers = {"Content-Type": content_type}
    response = await client.request("POST", GENERATIONS, data=data, headers=headers)
    answer = await response.json()
    assert (response.status, code(answer)) == (400, "validation_failed")
    assert message in answer["error"]["message"]


@pytest.mark.parametrize(
    "body",
    [
        SORA
        | {
            "params": {
                "n_frames": "15",
                "aspect_ratio": "portrait",
                "remove_watermark": "true",
            }
        },
        refused(
            {"referenceMediaItems": [IMAGE | {"name": "a.png", "durationSeconds": 1.5}]}
        ),
        refused({"referenceMediaItems": [IMAGE | {"kind": "audio"}]}, "wan-2-7-video"),
        refused({"cfg_scale": 0.5, "negative_prompt": "rain"}, "kling-v2-1-master"),
        refused({"model": "V5"}, "suno-music"),
        {
            "model": "elevenlabs-dialogue-v3",
            "params": {"dialogue": [{"voice": "Adam", "text": "Hello."}]},
        },
    ],
)
async def test_a_right_body_is_accepted(
    client: Client, sim: Simulator, body: dict[str, Any]
) -> None:
    sim.accounts[0].credits = 200
    task = await client.create(body)
    assert sim.generations[task].params == body["params"]


async def test_every_model_accepts_its_smallest_request(
    client: Client, sim: Simulator
) -> None:
    sim.accounts[0].credits = 10_000
    for table in sim.tables.values():
        needed = {
            param["key"]: param["default"]
            for param in table["params"]
            if param["required"]
        }
        if "dialogue" in needed:
            needed["dialogue"] = [{"voice": "Adam", "text": "Hello."}]
        assert (
            await client.post({"model": table["id"], "prompt": "sea", "params": needed})
        )[0] == 200


async def test_what_the_contract_leaves_open_can_be_lenient(
    client: Client, sim: Simulator
) -> None:
    sim.settings.unknown_fields = sim.settings.unknown_params = "ignore"
    sim.settings.coerce_params = True
    params = {
        "n_frames": 10,
        "remove_watermark": True,
        "odd": 1,
        "referenceMediaItems": [IMAGE | {"x": 1}],
    }
    task = await client.create(SORA | {"params": params, "trace": 1})
    assert sim.generations[task].params == {
        "n_frames": "10",
        "remove_watermark": "true",
        "referenceMediaItems": [IMAGE | {"x": 1}],
    }
    sim.accounts[0].credits = 500
    task = await client.create(refused({"duration": "6"}, "seedance-2"))
    assert sim.generations[task].params == {"duration": 6.0}
    status, _ = await client.post(refused({"duration": "six"}, "seedance-2"))
    assert status == 400


async def test_what_the_contract_leaves_open_can_be_strict(
    client: Client, sim: Simulator
) -> None:
    sim.settings.enforce_step = True
    sim.settings.unknown_model = "not_found"
    assert (await client.post(refused({"max_images": 1.5}, "seedream-4-0")))[0] == 400
    assert (await client.post(refused({"max_images": 2}, "seedream-4-0")))[0] == 200
    status, answer = await client.post({"model": "sora-9", "prompt": "sea"})
    assert (status, code(answer)) == (404, "not_found")


@pytest.mark.parametrize(
    ("unit", "fits"), [("code_points", 1000), ("utf16", 500), ("utf8", 250)]
)
async def test_the_unit_of_a_prompt_limit_is_a_setting(
    client: Client, sim: Simulator, unit: Any, fits: int
) -> None:
    sim.settings.prompt_unit = unit
    assert (await client.post({"model": "z-image", "prompt": "🌊" * fits}))[0] == 200
    assert (await client.post({"model": "z-image", "prompt": "🌊" * (fits + 1)}))[
        0
    ] == 400


async def test_a_chat_model_is_not_served_here(client: Client, sim: Simulator) -> None:
    sim.model("sora-2")["category"] = "chat"
    assert code((await client.post(SORA))[1]) == "validation_failed"


# Credits and books


async def test_credits_are_reserved_and_then_settled(
    client: Client, sim: Simulator, clock: Clock
) -> None:
    task = await client.create(key="intent-1")
    assert sim.accounts[0].credits == 94
    clock.now += 1000
    reserve, settle = sim.books
    assert (reserve.kind, reserve.credits, reserve.at) == ("reserve", 6, NOON)
    assert (settle.kind, settle.credits, settle.at) == ("settle", 0, NOON + 60)
    assert {
        (line.account, line.task_id, line.idempotency_key) for line in sim.books
    } == {("account-1", task, "intent-1")}


async def test_a_failure_is_refunded_when_the_settings_say(
    client: Client, sim: Simulator, clock: Clock
) -> None:
    sim.settings.refund_delay = 30
    sim.fail(await client.create())
    clock.now += 29
    assert (await client.get(CREDITS))[1] == {"current_credits": 94}
    clock.now += 1
    assert (await client.get(CREDITS))[1] == {"current_credits": 100}
    sim.settings.refund_on_failure = False
    sim.fail(task := await client.create())
    assert (await client.generation(task))["final_credits"] == 6
    assert [line.kind for line in sim.books] == [
        "reserve",
        "refund",
        "reserve",
        "settle",
    ]


async def test_prices_are_settings(client: Client, sim: Simulator) -> None:
    sim.settings.price = lambda entry, params: (
        entry["base_credits"] * int(params["n_frames"])
    )
    sim.settings.final_price = lambda generation: generation.reserved_credits - 1
    _, answer = await client.post(SORA | {"params": {"n_frames": "15"}})
    assert answer["reserved_credits"] == 90
    sim.finish(answer["id"])
    assert (await client.generation(answer["id"]))["final_credits"] == 89
    assert (spent(sim), sim.accounts[0].credits) == (89, 11)


@pytest.mark.parametrize("leaves_task", [False, True])
async def test_too_few_credits_refuse_a_generation(
    client: Client, sim: Simulator, *, leaves_task: bool
) -> None:
    sim.settings.insufficient_credits_leaves_task = leaves_task
    sim.accounts[0].credits = 5
    status, answer = await client.post(SORA)
    assert (status, code(answer)) == (402, "insufficient_credits")
    assert [one.status for one in sim.generations.values()] == ["failed"] * leaves_task
    assert (sim.books, sim.accounts[0].credits) == ([], 5)
    sim.settings.insufficient_credits_status = 400
    assert (await client.post(SORA))[0] == 400


# Idempotency


async def test_a_replay_answers_the_generation_as_it_is_now_and_charges_once(
    client: Client, sim: Simulator, clock: Clock
) -> None:
    task = await client.create(SORA, "intent-1")
    clock.now += 100
    status, answer = await client.post(dict(reversed(SORA.items())), "intent-1")
    assert (status, answer["id"], answer["status"]) == (200, task, "succeeded")
    assert (len(sim.generations), spent(sim)) == (1, 6)


async def test_a_replay_may_answer_as_the_first_call_did(
    client: Client, sim: Simulator, clock: Clock
) -> None:
    sim.settings.idempotency_replay = "first"
    first = await client.post(SORA, "intent-1")
    clock.now += 100
    assert await client.post(SORA, "intent-1") == first


async def test_another_body_under_a_key_is_a_conflict(
    client: Client, sim: Simulator
) -> None:
    await client.create(SORA, "intent-1")
    status, answer = await client.post(SORA | {"prompt": "ebb"}, "intent-1")
    assert (status, code(answer)) == (409, "idempotency_conflict")
    assert (len(sim.generations), spent(sim)) == (1, 6)


@pytest.mark.parametrize(
    ("order", "expected"), [("before_validation", 409), ("after_validation", 400)]
)
async def test_a_wrong_body_under_an_old_key_answers_by_the_order(
    client: Client, sim: Simulator, order: Any, expected: int
) -> None:
    sim.settings.idempotency_order = order
    task = await client.create(SORA, "intent-1")
    assert (await client.post({"model": "sora-2"}, "intent-1"))[0] == expected
    assert await client.create(SORA, "intent-1") == task


async def test_a_key_is_an_accounts_own_and_is_forgotten_in_time(
    client: Client, sim: Simulator, clock: Clock
) -> None:
    sim.add_account(key="rvya_sk_other")
    tasks = [await client.create(SORA, "intent-1")]
    tasks.append(await Client(client.session, "rvya_sk_other").create(SORA, "intent-1"))
    clock.now += 24 * 3600
    tasks.append(await client.create(SORA, "intent-1"))
    assert len(set(tasks)) == 3


@pytest.mark.parametrize(("keeps", "expected"), [(False, 200), (True, 402)])
async def test_a_refusal_binds_a_key_only_by_setting(
    client: Client, sim: Simulator, *, keeps: bool, expected: int
) -> None:
    sim.settings.idempotency_keeps_refusals = keeps
    sim.accounts[0].credits = 0
    assert (await client.post(SORA, "intent-1"))[0] == 402
    sim.accounts[0].credits = 100
    assert (await client.post(SORA, "intent-1"))[0] == expected


async def test_a_key_has_a_longest_length(client: Client) -> None:
    assert (await client.post(SORA, "k" * 255))[0] == 200
    assert (await client.post(SORA, "k" * 256))[0] == 400


@pytest.mark.parametrize(("running", "expected"), [("replay", 200), ("conflict", 409)])
async def test_a_replay_during_the_first_call_is_a_setting(
    client: Client, sim: Simulator, running: Any, expected: int
) -> None:
    sim.settings.idempotency_running = running
    fault = sim.faults.add(Fault(kind="stall_after", method="POST"))
    first = asyncio.create_task(client.post(SORA, "intent-1"))
    await fault.reached.wait()
    assert (await client.post(SORA, "intent-1"))[0] == expected
    fault.release()
    assert (await first)[0] == 200
    assert (await client.post(SORA, "intent-1"))[0] == 200
    assert spent(sim) == 6


# Faults


@pytest.mark.parametrize(("kind", "charged"), [("drop_before", 0), ("drop_after", 6)])
async def test_a_dropped_create_has_its_effect_or_none(
    client: Client, sim: Simulator, kind: Any, charged: int
) -> None:
    sim.faults.add(Fault(kind=kind, method="POST", path=GENERATIONS))
    with pytest.raises(ServerDisconnectedError):
        await client.post(SORA, "intent-1")
    assert spent(sim) == charged
    assert sim.requests[0].status is None
    assert (await client.post(SORA, "intent-1"))[0] == 200
    assert (len(sim.generations), spent(sim)) == (1, 6)


@pytest.mark.parametrize(("kind", "charged"), [("stall_before", 0), ("stall_after", 6)])
async def test_a_stalled_create_ends_with_its_connection(
    client: Client, sim: Simulator, kind: Any, charged: int
) -> None:
    fault = sim.faults.add(Fault(kind=kind, method="POST"))
    with pytest.raises(TimeoutError):
        await client.post(SORA, "intent-1", timeout=ClientTimeout(total=0.05))
    assert fault.reached.is_set()
    assert spent(sim) == charged
    await client.create(SORA, "intent-1")
    assert spent(sim) == 6


@pytest.mark.parametrize("kind", ["stall_before", "stall_after", "slow"])
async def test_what_was_held_back_is_answered_when_released(
    client: Client, sim: Simulator, kind: Any
) -> None:
    fault = sim.faults.add(Fault(kind=kind))
    answer = asyncio.create_task(client.get(CREDITS))
    await fault.reached.wait()
    assert not answer.done()
    sim.faults.clear()
    assert await answer == (200, {"current_credits": 100})


async def test_a_slow_answer_waits_with_the_sleep_it_was_given(
    socket_enabled: None,
) -> None:
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    sim = Simulator(sleep=sleep)
    sim.add_account(key=KEY)
    sim.faults.add(Fault(kind="slow", delay=3))
    async with (
        TestServer(create_app(sim)) as server,
        ClientSession(server.make_url("/")) as session,
    ):
        assert (await Client(session).get(CREDITS))[0] == 200
    assert waited == [3]


async def test_a_server_stops_although_an_answer_stalls(
    socket_enabled: None, sim: Simulator
) -> None:
    fault = sim.faults.add(Fault(kind="stall_before"))
    async with ClientSession() as session:
        server = TestServer(create_app(sim))
        await server.start_server()
        answer = asyncio.create_task(Client(session).get(str(server.make_url(CREDITS))))
        await fault.reached.wait()
        await server.close()
        await asyncio.gather(answer, return_exceptions=True)


async def test_a_status_fault_keeps_the_request_from_having_an_effect(
    client: Client, sim: Simulator
) -> None:
    headers = {"Retry-After": "7"}
    sim.faults.add(Fault(kind="status", status=429, headers=headers))
    response = await client.request("POST", GENERATIONS, json=SORA)
    assert (response.status, response.headers["Retry-After"]) == (429, "7")
    assert code(await response.json()) == "rate_limited"
    assert spent(sim) == 0
    assert (await client.post(SORA))[0] == 200


async def test_a_status_fault_can_come_after_the_effect_with_any_body(
    client: Client, sim: Simulator
) -> None:
    sim.faults.add(
        Fault(kind="status", status=502, effect=True, raw="<h1>Bad gateway</h1>")
    )
    response = await client.request("POST", GENERATIONS, json=SORA)
    assert (response.status, await response.text()) == (502, "<h1>Bad gateway</h1>")
    assert spent(sim) == 6
    sim.faults.add(Fault(kind="status", code="brand_new", message="Never seen."))
    status, answer = await client.get(CREDITS)
    assert (status, code(answer), answer["error"]["message"]) == (
        500,
        "brand_new",
        "Never seen.",
    )


async def test_a_truncated_answer_announces_more_than_it_sends(
    client: Client, sim: Simulator
) -> None:
    sim.faults.add(Fault(kind="truncated", times=None))
    with pytest.raises(ClientPayloadError):
        await client.post(SORA)
    assert spent(sim) == 6


@pytest.mark.parametrize(
    ("fault", "status", "content_type", "body"),
    [
        (Fault(kind="not_json"), 200, "text/html", None),
        (
            Fault(kind="not_json", raw="{", content_type="application/json"),
            200,
            "application/json",
            b"{",
        ),
        (
            Fault(kind="wrong_content_type"),
            200,
            "text/plain",
            b'{"current_credits": 100}',
        ),
        (Fault(kind="body", body=None), 200, "application/json", b"null"),
        (
            Fault(kind="body", body={"id": 5}, status=201),
            201,
            "application/json",
            b'{"id": 5}',
        ),
        (Fault(kind="huge", size=100_000), 200, "application/json", b" " * 100_000),
    ],
)
async def test_an_answer_can_be_wrong_in_many_ways(
    client: Client,
    sim: Simulator,
    fault: Fault,
    status: int,
    content_type: str,
    body: bytes | None,
) -> None:
    sim.faults.add(fault)
    response = await client.request("GET", CREDITS)
    assert (response.status, response.content_type) == (status, content_type)
    assert body is None or await response.read() == body


async def test_a_right_answer_can_be_changed(client: Client, sim: Simulator) -> None:
    sim.faults.add(Fault(kind="mutate", mutate=lambda answer: answer | {"new": True}))
    assert await client.get(CREDITS) == (200, {"current_credits": 100, "new": True})


async def test_an_endless_answer_ends_with_its_connection(
    client: Client, sim: Simulator
) -> None:
    sim.faults.add(Fault(kind="huge"))
    async with client.session.get(CREDITS, headers=client.authorization()) as response:
        assert len(await response.content.readexactly(1_000_000)) == 1_000_000
        response.close()


async def test_a_redirect_shows_whether_the_key_travels(
    client: Client, sim: Simulator
) -> None:
    sim.faults.add(Fault(kind="redirect", path=CREDITS, location="/elsewhere"))
    response = await client.request("GET", CREDITS, allow_redirects=False)
    assert (response.status, response.headers["Location"]) == (307, "/elsewhere")


async def test_faults_wait_for_their_method_path_and_turn(
    client: Client, sim: Simulator
) -> None:
    sim.faults.add(
        Fault(
            kind="status",
            status=503,
            method="GET",
            path="/api/*/credits",
            after=1,
            times=2,
        )
    )
    sim.faults.add(Fault(kind="status", status=500, path=GENERATIONS, times=None))
    assert [(await client.get(CREDITS))[0] for _ in range(4)] == [200, 503, 503, 200]
    assert [(await client.post(SORA))[0] for _ in range(3)] == [500] * 3
    assert (await client.get(f"{GENERATIONS}/task_1"))[0] == 500
    assert (await client.get(MODELS))[0] == 200
    assert len(sim.requests_to(path=GENERATIONS)) == 4
    assert len(sim.requests_to("get")) == 6


# Media


async def urls(client: Client, sim: Simulator, body: dict[str, Any]) -> list[str]:
    """Return the result links of a finished generation."""
    task = await client.create(body)
    sim.finish(task)
    return list((await client.generation(task))["result"]["urls"])


async def fetched(stranger: Client, url: str) -> BytesIO:
    response = await stranger.request("GET", url)
    assert response.status == 200
    return BytesIO(await response.read())


def size_of(data: bytes) -> tuple[int, int]:
    """Return width and height of an image."""
    with Image.open(BytesIO(data)) as picture:
        return picture.size


async def test_a_video_plays_and_has_the_length_and_shape_asked_for(
    client: Client, stranger: Client, sim: Simulator
) -> None:
    params = {"n_frames": "10", "aspect_ratio": "portrait"}
    prompt = "The tide 満ち潮 \N{WATER WAVE} \ud800 coming in, " + "ebbandflow" * 20
    body = {"model": "sora-2", "prompt": prompt, "params": params}
    (url,) = await urls(client, sim, body)
    file = await fetched(stranger, url)
    data = file.getvalue()
    assert data.index(b"moov") < data.index(b"mdat")
    with av.open(file, "r") as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == (
            "h264",
            "yuv420p",
        )
        assert (stream.width, stream.height) == (360, 640)
        assert container.duration is not None
        assert container.duration / 1_000_000 == pytest.approx(10, abs=0.2)
        frames = [
            frame.to_ndarray(format="gray") for frame in container.decode(video=0)
        ]
    assert (frames[0] != frames[-1]).any()


async def test_a_last_frame_comes_second(
    client: Client, stranger: Client, sim: Simulator
) -> None:
    sim.accounts[0].credits = 200
    video, still = await urls(
        client, sim, refused({"return_last_frame": "true"}, "seedance-2")
    )
    assert (video.rpartition(".")[2], still.rpartition(".")[2]) == ("mp4", "png")
    assert size_of((await fetched(stranger, still)).getvalue()) == (640, 360)


@pytest.mark.parametrize(
    ("model", "params", "size"),
    [
        ("z-image", {}, (768, 768)),
        ("z-image", {"aspect_ratio": "9:16"}, (432, 768)),
        ("wan-2-7-image", {"aspect_ratio": "8:1"}, (768, 96)),
        ("qwen-image", {"image_size": "portrait_4_3"}, (576, 768)),
        ("ideogram-v3", {"image_size": "landscape_16_9"}, (768, 432)),
        ("nano-banana-2", {"aspect_ratio": "auto"}, (768, 432)),
    ],
)
async def test_an_image_has_the_shape_asked_for(
    client: Client,
    stranger: Client,
    sim: Simulator,
    model: str,
    params: dict[str, Any],
    size: tuple[int, int],
) -> None:
    (url,) = await urls(client, sim, refused(params, model))
    response = await stranger.request("GET", url)
    assert response.content_type == "image/png"
    assert size_of(await response.read()) == size


async def test_several_images_differ_and_jpeg_can_be_asked_for(
    client: Client, stranger: Client, sim: Simulator
) -> None:
    several = await urls(client, sim, refused({"max_images": 3}, "seedream-4-0"))
    assert len({(await fetched(stranger, url)).getvalue() for url in several}) == 3
    (url,) = await urls(client, sim, refused({"output_format": "jpg"}, "nano-banana-2"))
    response = await stranger.request("GET", url)
    assert response.content_type == "image/jpeg"
    assert size_of(await response.read()) == (768, 432)


@pytest.mark.parametrize(
    ("body", "seconds"),
    [
        (refused({"duration_seconds": 0.5}, "elevenlabs-sound-effect-v2"), 0.5),
        (
            {
                "model": "elevenlabs-dialogue-v3",
                "params": {"dialogue": [{"voice": "Adam", "text": "Hi"}]},
            },
            3,
        ),
    ],
)
async def test_a_sound_is_a_wav_of_the_length_asked_for(
    client: Client,
    stranger: Client,
    sim: Simulator,
    body: dict[str, Any],
    seconds: float,
) -> None:
    (url,) = await urls(client, sim, body)
    with wave.open(await fetched(stranger, url)) as sound:
        assert sound.getnframes() / sound.getframerate() == pytest.approx(seconds)
        assert any(sound.readframes(1000))


@pytest.mark.parametrize(
    ("asked", "status", "start", "stop"),
    [
        ("bytes=0-9", 206, 0, 10),
        ("bytes=100-", 206, 100, None),
        ("bytes=-5", 206, -5, None),
        ("bytes=10-99999999", 206, 10, None),
        ("bytes=0-1,5-6", 200, 0, None),
        ("bytes=-", 200, 0, None),
        ("lines=1-2", 200, 0, None),
    ],
)
async def test_a_range_is_served(
    client: Client,
    stranger: Client,
    sim: Simulator,
    asked: str,
    status: int,
    start: int,
    stop: int | None,
) -> None:
    (url,) = await urls(client, sim, refused({}, "z-image"))
    whole = (await fetched(stranger, url)).getvalue()
    response = await stranger.request("GET", url, headers={"Range": asked})
    assert response.status == status
    part = whole[start:stop]
    assert await response.read() == part
    if status == 206:
        first = whole.index(part)
        expected = f"bytes {first}-{first + len(part) - 1}/{len(whole)}"
        assert response.headers["Content-Range"] == expected


@pytest.mark.parametrize("asked", ["bytes=99999999-", "bytes=-0", "bytes=9-3"])
async def test_a_range_outside_is_refused(
    client: Client, stranger: Client, sim: Simulator, asked: str
) -> None:
    (url,) = await urls(client, sim, refused({}, "z-image"))
    response = await stranger.request("GET", url, headers={"Range": asked})
    assert response.status == 416
    assert response.headers["Content-Range"].startswith("bytes */")


async def test_head_tells_size_and_type(
    client: Client, stranger: Client, sim: Simulator
) -> None:
    (url,) = await urls(client, sim, refused({}, "z-image"))
    size = len((await fetched(stranger, url)).getvalue())
    response = await stranger.request("HEAD", url)
    assert (response.status, response.content_type, await response.read()) == (
        200,
        "image/png",
        b"",
    )
    assert int(response.headers["Content-Length"]) == size


async def test_links_expire_and_a_status_answer_renews_them(
    client: Client, stranger: Client, sim: Simulator, clock: Clock
) -> None:
    sim.settings.url_lifetime = 3600
    task = await client.create(refused({}, "z-image"))
    sim.finish(task)
    old = (await client.generation(task))["result"]["primary_url"]
    clock.now += 3599
    assert (await client.generation(task))["result"]["primary_url"] == old
    assert (await stranger.request("HEAD", old)).status == 200
    clock.now += 1
    status, answer = await stranger.get(old)
    assert (status, code(answer)) == (403, "expired")
    new = (await client.generation(task))["result"]["primary_url"]
    assert new != old
    assert (await stranger.request("HEAD", new)).status == 200


async def test_links_may_be_new_each_time_and_live_elsewhere(
    client: Client, sim: Simulator
) -> None:
    sim.settings.links, sim.settings.media_base = "fresh", "https://media.example/"
    task = await client.create()
    sim.finish(task)
    seen = {(await client.generation(task))["result"]["primary_url"] for _ in range(3)}
    assert len(seen) == 3
    assert all(url.startswith("https://media.example/media/media_") for url in seen)


async def test_an_unknown_result_is_not_found_and_a_link_can_be_made_to_expire(
    client: Client, stranger: Client, sim: Simulator
) -> None:
    assert (await stranger.request("GET", "/media/media_0.mp4")).status == 404
    (url,) = await urls(client, sim, refused({}, "z-image"))
    sim.faults.add(Fault(kind="expired_url", status=410))
    assert (await stranger.request("GET", url)).status == 410
    assert (await stranger.request("GET", url)).status == 200


async def test_only_so_many_results_are_kept_encoded(
    client: Client, stranger: Client, sim: Simulator
) -> None:
    sim.settings.cached_media = 1
    first = await urls(client, sim, refused({"max_images": 2}, "seedream-4-0"))
    once, _, again = [
        (await fetched(stranger, url)).getvalue() for url in (*first, first[0])
    ]
    assert once == again


# Command line


async def test_the_command_line_serves_until_it_is_told_to_stop(
    socket_enabled: None,
) -> None:
    options = [
        "--port",
        "0",
        "--key",
        "rvya_sk_demo",
        "--credits",
        "9",
        "--seconds",
        "0",
    ]
    fault = ["--fault", json.dumps({"kind": "slow", "path": MODELS, "delay": 0.001})]
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *["-m", "tests.simulator", *options, *fault],
        cwd=Path(__file__).parents[1],
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        ready = json.loads(await process.stdout.readline())
        assert ready.keys() == {"url", "key"}
        async with ClientSession(ready["url"]) as session:
            client = Client(session, ready["key"])
            task = await client.create()
            assert (await client.generation(task))["result"]["primary_url"].startswith(
                ready["url"]
            )
            assert await client.get(CREDITS) == (200, {"current_credits": 3})
            assert (await client.get(MODELS))[0] == 200
    finally:
        process.send_signal(signal.SIGTERM)
        rest = await process.stdout.read()
    assert (await process.wait(), rest) == (0, b"")
