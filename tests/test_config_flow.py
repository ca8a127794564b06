"""Setting up an account, another key for it, its options: each error, each recovery."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from typing import Any

from aiohttp.test_utils import TestServer
from homeassistant.config_entries import SOURCE_REAUTH, SOURCE_USER, ConfigEntryState
from homeassistant.const import CONF_API_KEY
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType, InvalidData
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.rivya.config_flow import (
    KEYS_URL,
    SECTION_ADVANCED,
    normalized_base_url,
)
from custom_components.rivya.const import (
    CONF_BASE_URL,
    CONF_CONCURRENCY,
    CONF_DEFAULT_MODEL,
    CREDITS_INTERVAL,
    DEFAULT_CONCURRENCY,
    DEFAULT_MODEL,
    DOMAIN,
)
from tests.simulator import Fault, Simulator, create_app

from .conftest import KEY, Act, Time

NEW_KEY = "rvya_sk_test_new"
OTHER_KEY = "rvya_sk_test_other"
CREDITS = "/api/v1/credits"
GENERATIONS = "/api/v1/generations"
NOT_JSON: dict[str, Any] = {"raw": "<h1>Login</h1>", "content_type": "text/html"}


@pytest.fixture(autouse=True)
async def _unload(hass: HomeAssistant) -> AsyncGenerator[None]:
    """Unload at the end whatever a flow has set up."""
    yield
    for entry in hass.config_entries.async_loaded_entries(DOMAIN):
        await hass.config_entries.async_unload(entry.entry_id)


@dataclass
class Flows:
    """A user who goes through the flows."""

    hass: HomeAssistant
    time: Time

    async def start(self) -> Any:
        """Add an account."""
        return await self.hass.config_entries.flow.async_init(
            DOMAIN, context={"source": SOURCE_USER}
        )

    async def send(self, flow: Any, key: str, base_url: str | None = None) -> Any:
        """Fill in the form; the advanced section only where an address is given."""
        data: dict[str, Any] = {CONF_API_KEY: key}
        if base_url is not None:
            data[SECTION_ADVANCED] = {CONF_BASE_URL: base_url}
        return await self.time.until(
            self.hass.config_entries.flow.async_configure(flow["flow_id"], data)
        )

    def reauths(self) -> list[Any]:
        """Return the flows that ask for another key."""
        return [
            flow
            for flow in self.hass.config_entries.flow.async_progress_by_handler(DOMAIN)
            if flow["context"]["source"] == SOURCE_REAUTH
        ]

    async def set_options(self, entry: MockConfigEntry, **options: Any) -> Any:
        """Change the options."""
        form = await self.hass.config_entries.options.async_init(entry.entry_id)
        result = await self.hass.config_entries.options.async_configure(
            form["flow_id"],
            {CONF_DEFAULT_MODEL: DEFAULT_MODEL, CONF_CONCURRENCY: 3} | options,
        )
        await self.time.settle()
        return result


@pytest.fixture
def flows(hass: HomeAssistant, time: Time) -> Flows:
    return Flows(hass, time)


def other_account(hass: HomeAssistant, rivya: Simulator, base_url: str) -> None:
    """Add a second account, at the service and here."""
    rivya.add_account(key=OTHER_KEY)
    MockConfigEntry(
        domain=DOMAIN,
        title="Rivya 2",
        data={CONF_API_KEY: OTHER_KEY, CONF_BASE_URL: base_url},
    ).add_to_hass(hass)


# Adding an account.


async def test_a_key_makes_an_account(
    hass: HomeAssistant, rivya: Simulator, base_url: str, flows: Flows
) -> None:
    form = await flows.start()
    assert form["type"] is FlowResultType.FORM
    assert form["step_id"] == "user"
    assert form["errors"] == {}
    assert form["description_placeholders"] == {"keys_url": KEYS_URL, "scope": "-"}
    result = await flows.send(form, KEY, base_url)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["title"] == "Rivya"
    assert result["data"] == {CONF_API_KEY: KEY, CONF_BASE_URL: base_url}
    assert result["options"] == {}
    assert result["result"].unique_id is None
    assert result["result"].state is ConfigEntryState.LOADED
    assert [request.method for request in rivya.requests_to(path=GENERATIONS)] == []


async def test_a_second_account_has_a_title_of_its_own(
    hass: HomeAssistant, rivya: Simulator, base_url: str, flows: Flows
) -> None:
    rivya.add_account(key=NEW_KEY)
    rivya.add_account(key=OTHER_KEY)
    titles = [
        (await flows.send(await flows.start(), key, base_url))["title"]
        for key in (KEY, NEW_KEY, OTHER_KEY)
    ]
    assert titles == ["Rivya", "Rivya 2", "Rivya 3"]


async def test_a_free_title_is_used_again(
    hass: HomeAssistant, entry: MockConfigEntry, base_url: str, flows: Flows
) -> None:
    hass.config_entries.async_update_entry(
        entry, title="Office", data={**entry.data, CONF_API_KEY: OTHER_KEY}
    )
    result = await flows.send(await flows.start(), KEY, base_url)
    assert result["title"] == "Rivya"


async def test_without_the_advanced_section_the_service_itself_is_asked(
    hass: HomeAssistant, base_url: str, flows: Flows, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The real one is out of reach here; its address is all that is replaced.
    monkeypatch.setattr(
        "custom_components.rivya.config_flow.DEFAULT_BASE_URL", base_url
    )
    result = await flows.send(await flows.start(), KEY)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["data"][CONF_BASE_URL] == base_url


async def test_white_space_around_key_and_address_is_dropped(
    hass: HomeAssistant, base_url: str, flows: Flows
) -> None:
    result = await flows.send(await flows.start(), f"\t{KEY} \n", f" {base_url}/ ")
    assert result["data"] == {CONF_API_KEY: KEY, CONF_BASE_URL: base_url}


async def test_the_same_key_is_refused(
    hass: HomeAssistant, entry: MockConfigEntry, base_url: str, flows: Flows
) -> None:
    result = await flows.send(await flows.start(), KEY, base_url)
    assert result["type"] is FlowResultType.ABORT
    assert result["reason"] == "already_configured"
    assert hass.config_entries.async_entries(DOMAIN) == [entry]


async def test_the_same_key_in_two_flows_at_once_is_refused_once(
    hass: HomeAssistant, base_url: str, flows: Flows
) -> None:
    forms = [await flows.start(), await flows.start()]
    data = {CONF_API_KEY: KEY, SECTION_ADVANCED: {CONF_BASE_URL: base_url}}
    configure = hass.config_entries.flow.async_configure
    results = await flows.time.until(
        asyncio.gather(*(configure(form["flow_id"], data) for form in forms))
    )
    assert sorted(result["type"] for result in results) == ["abort", "create_entry"]
    assert len(hass.config_entries.async_entries(DOMAIN)) == 1


# What can go wrong, and that the same form goes on from there.


def key_state(state: Any) -> Callable[[Simulator], None]:
    return lambda rivya: rivya.set_key_state(KEY, state)


def fault(**facts: Any) -> Callable[[Simulator], None]:
    return lambda rivya: void(
        rivya.faults.add(Fault(path=CREDITS, times=None, **facts))
    )


def lacks(scope: str) -> Callable[[Simulator], None]:
    return lambda rivya: rivya.accounts[0].scopes.discard(scope)


def switched_off(rivya: Simulator) -> None:
    rivya.settings.public_api_enabled = False


def used_up(rivya: Simulator) -> None:
    rivya.settings.rate_limit = 0


def void(_: object) -> None:
    """Return nothing."""


def make_right(rivya: Simulator) -> None:
    """Take back whatever went wrong."""
    rivya.faults.clear()
    rivya.set_key_state(KEY, "active")
    rivya.accounts[0].scopes.add("credits:read")
    rivya.settings.public_api_enabled = True
    rivya.settings.rate_limit = None


FAILURES: dict[str, tuple[Callable[[Simulator], None], str]] = {
    "unknown key": (key_state("invalid"), "invalid_auth"),
    "revoked key": (key_state("revoked"), "key_revoked"),
    "expired key": (key_state("expired"), "key_expired"),
    "401 without a code": (
        fault(kind="status", status=401, **NOT_JSON),
        "invalid_auth",
    ),
    "scope": (lacks("credits:read"), "scope_missing"),
    "switched off": (switched_off, "api_disabled"),
    "rate limit": (used_up, "rate_limited"),
    "rate limit for an hour": (
        fault(kind="status", status=429, headers={"Retry-After": "3600"}),
        "rate_limited",
    ),
    "500": (fault(kind="status", status=500), "server_error"),
    "502 of a gateway": (fault(kind="status", status=502, **NOT_JSON), "server_error"),
    "dropped before": (fault(kind="drop_before"), "cannot_connect"),
    "dropped after": (fault(kind="drop_after"), "cannot_connect"),
    "truncated": (fault(kind="truncated"), "cannot_connect"),
    "silence": (fault(kind="stall_before"), "cannot_connect"),
    "a web page": (fault(kind="not_json"), "not_rivya"),
    "404 of a web page": (fault(kind="status", status=404, **NOT_JSON), "not_rivya"),
    "403 of a web page": (fault(kind="status", status=403, **NOT_JSON), "not_rivya"),
    "418": (fault(kind="status", status=418, **NOT_JSON), "not_rivya"),
    "another path": (fault(kind="status", status=404), "not_rivya"),
    "other JSON": (fault(kind="body", body={"hello": "world"}), "not_rivya"),
    "a list": (fault(kind="body", body=[]), "not_rivya"),
    "redirect": (fault(kind="redirect", location="/elsewhere"), "not_rivya"),
}


@pytest.mark.parametrize(("spoil", "error"), FAILURES.values(), ids=FAILURES)
async def test_each_failure_has_its_text_and_the_form_goes_on(
    hass: HomeAssistant,
    rivya: Simulator,
    base_url: str,
    flows: Flows,
    spoil: Callable[[Simulator], None],
    error: str,
) -> None:
    spoil(rivya)
    form = await flows.send(await flows.start(), KEY, base_url)
    assert form["type"] is FlowResultType.FORM
    assert form["step_id"] == "user"
    assert form["errors"] == {"base": error}
    assert not hass.config_entries.async_entries(DOMAIN)
    make_right(rivya)
    result = await flows.send(form, KEY, base_url)
    assert result["type"] is FlowResultType.CREATE_ENTRY


async def test_a_missing_scope_is_named(
    rivya: Simulator, base_url: str, flows: Flows
) -> None:
    rivya.accounts[0].scopes.discard("credits:read")
    form = await flows.send(await flows.start(), KEY, base_url)
    assert form["description_placeholders"]["scope"] == "credits:read"


async def test_a_redirect_is_not_followed_with_the_key(
    rivya: Simulator, base_url: str, flows: Flows
) -> None:
    elsewhere = Simulator()
    async with TestServer(create_app(elsewhere), host="127.0.0.1") as server:
        rivya.faults.add(
            Fault(kind="redirect", location=str(server.make_url(CREDITS)), times=None)
        )
        form = await flows.send(await flows.start(), KEY, base_url)
    assert form["errors"] == {"base": "not_rivya"}
    assert elsewhere.requests == []


async def test_a_closed_port_is_not_reachable(base_url: str, flows: Flows) -> None:
    form = await flows.send(await flows.start(), KEY, "http://127.0.0.1:1")
    assert form["errors"] == {"base": "cannot_connect"}
    result = await flows.send(form, KEY, base_url)
    assert result["type"] is FlowResultType.CREATE_ENTRY


async def test_the_address_of_the_api_itself_is_not_the_one_to_enter(
    base_url: str, flows: Flows
) -> None:
    form = await flows.send(await flows.start(), KEY, f"{base_url}/api/v1")
    assert form["errors"] == {"base": "not_rivya"}


@pytest.mark.parametrize(
    "key",
    ["", "  ", "rvya sk", "rvya_sk_\u00fc", "rvya\r\nX-Evil: 1", "rvya\x00", "🔑"],
)
async def test_what_cannot_be_a_key_is_no_valid_one(
    rivya: Simulator, base_url: str, flows: Flows, key: str
) -> None:
    form = await flows.send(await flows.start(), key, base_url)
    assert form["errors"] == {"base": "invalid_auth"}
    assert {request.headers.get("x-evil") for request in rivya.requests} <= {None}
    result = await flows.send(form, KEY, base_url)
    assert result["type"] is FlowResultType.CREATE_ENTRY


ADDRESSES = {
    "": "invalid_url",
    "rivya.ai": "invalid_url",
    "rivya": "invalid_url",
    "ftp://rivya.ai": "invalid_url",
    "https://": "invalid_url",
    "https:///path": "invalid_url",
    "https:rivya.ai": "invalid_url",
    "//rivya.ai": "invalid_url",
    "https://[::1": "invalid_url",
    "https://rivya.ai:port": "invalid_url",
    "https://rivya.ai:99999": "invalid_url",
    "https://user@rivya.ai": "invalid_url",
    "https://user:secret@rivya.ai": "invalid_url",
    "https://:secret@rivya.ai": "invalid_url",
    "https://rivya.ai/?key=1": "invalid_url",
    "https://rivya.ai/#top": "invalid_url",
    "https://xn--a.com": "invalid_url",
    "http://rivya.ai": "insecure_url",
    "http://RIVYA.AI:8080": "insecure_url",
    "http://8.8.8.8": "insecure_url",
    "http://[2001:4860:4860::8888]": "insecure_url",
    "http://[::ffff:8.8.8.8]": "insecure_url",
    "http://local.example.com": "insecure_url",
    "http://notlocal": None,
    "http://rivya.local:8080": None,
    "http://rivya.lan": None,
    "http://gateway.internal": None,
    "http://localhost:1234": None,
    "http://127.0.0.1:1234": None,
    "http://192.168.1.2": None,
    "http://[::1]:8080": None,
    "http://[fd00::1]": None,
    "https://rivya.ai": None,
    "https://gateway.example.com/rivya": None,
}


def refusal(address: str) -> str | None:
    """Return why an address is not taken."""
    try:
        assert normalized_base_url(address) == address
    except ValueError as err:
        return str(err)
    return None


def test_only_some_addresses_may_be_given_a_key() -> None:
    assert {address: refusal(address) for address in ADDRESSES} == ADDRESSES


@pytest.mark.parametrize(
    ("address", "error"),
    [("rivya.ai", "invalid_url"), ("http://rivya.ai", "insecure_url")],
)
async def test_an_address_that_may_not_is_refused_before_anything_is_sent(
    rivya: Simulator, base_url: str, flows: Flows, address: str, error: str
) -> None:
    # An attempt to reach it would fail this test: sockets are open to 127.0.0.1 only.
    form = await flows.send(await flows.start(), KEY, address)
    assert form["errors"] == {"base": error}
    assert rivya.requests == []
    result = await flows.send(form, KEY, base_url)
    assert result["type"] is FlowResultType.CREATE_ENTRY


# The key stays where it belongs.


async def test_the_key_is_in_no_log_title_or_id(
    hass: HomeAssistant,
    rivya: Simulator,
    base_url: str,
    flows: Flows,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("DEBUG")
    form = await flows.start()
    for spoil, _ in FAILURES.values():
        spoil(rivya)
        form = await flows.send(form, KEY, base_url)
        assert KEY not in str(form)
        make_right(rivya)
    await flows.send(form, KEY, "rivya.ai")
    result = await flows.send(form, KEY, base_url)
    entry = result["result"]
    assert KEY not in f"{entry.title} {entry.unique_id} {entry.entry_id} {entry!r}"
    rivya.set_key_state(KEY, "revoked")
    await hass.config_entries.async_reload(entry.entry_id)
    [reauth] = flows.reauths()
    rivya.add_key(rivya.accounts[0], NEW_KEY)
    await flows.send(reauth, NEW_KEY, base_url)
    assert KEY not in caplog.text
    assert NEW_KEY not in caplog.text


async def test_the_browser_gets_the_address_and_never_a_key(
    hass: HomeAssistant,
    rivya: Simulator,
    account: MockConfigEntry,
    hass_client: ClientSessionGenerator,
) -> None:
    assert await async_setup_component(hass, "config", {})
    client = await hass_client()
    account.async_start_reauth(hass)
    await hass.async_block_till_done()
    [flow] = hass.config_entries.flow.async_progress_by_handler(DOMAIN)
    path = f"/api/config/config_entries/flow/{flow['flow_id']}"
    form = await (await client.get(path)).json()
    key, advanced = form["data_schema"]
    assert key["name"] == CONF_API_KEY
    assert key["selector"]["text"]["type"] == "password"
    assert key.keys().isdisjoint({"default", "description"})
    # The frontend takes a section's default as it is and looks no further.
    base_url = account.data[CONF_BASE_URL]
    assert advanced["default"] == {CONF_BASE_URL: base_url}
    assert not advanced["expanded"]
    assert advanced["schema"][0]["default"] == base_url
    assert KEY not in str(form)
    rivya.add_account(key=NEW_KEY)
    answer = await client.post(path, json={CONF_API_KEY: NEW_KEY})
    assert (await answer.json())["type"] == "abort"
    assert NEW_KEY not in await answer.text()
    await hass.async_block_till_done()
    assert account.data[CONF_API_KEY] == NEW_KEY


# Another key for an account.


async def test_a_key_refused_during_polling_is_asked_for_again_and_nothing_is_lost(
    hass: HomeAssistant,
    rivya: Simulator,
    account: MockConfigEntry,
    flows: Flows,
    act: Act,
    time: Time,
) -> None:
    generation = await act("generate", prompt="A boat")
    rivya.set_key_state(KEY, "revoked")
    await time.pass_by(120)
    [reauth] = flows.reauths()
    asked = len(rivya.requests_to("GET", GENERATIONS))
    await time.pass_by(3600, step=30)
    assert len(rivya.requests_to("GET", GENERATIONS)) == asked
    assert len(flows.reauths()) == 1
    form = await hass.config_entries.flow.async_configure(reauth["flow_id"])
    assert form["step_id"] == "reauth_confirm"
    assert form["description_placeholders"]["name"] == "Rivya"
    form = await flows.send(reauth, KEY)
    assert form["errors"] == {"base": "key_revoked"}
    rivya.add_key(rivya.accounts[0], NEW_KEY)
    result = await flows.send(reauth, NEW_KEY)
    assert result["type"] is FlowResultType.ABORT
    assert result["reason"] == "reauth_successful"
    assert "translation_domain" not in result
    await time.pass_by(10)
    assert account.state is ConfigEntryState.LOADED
    assert account.data[CONF_API_KEY] == NEW_KEY
    assert flows.reauths() == []
    record = await act("get_generation", generation_id=generation["generation_id"])
    assert record["status"] == "succeeded"
    assert len(rivya.requests_to("POST", GENERATIONS)) == 1


async def test_a_key_refused_while_idle_is_asked_for_again(
    rivya: Simulator, account: MockConfigEntry, flows: Flows, time: Time
) -> None:
    rivya.set_key_state(KEY, "expired")
    await time.pass_by(CREDITS_INTERVAL.total_seconds() + 60, step=30)
    assert len(flows.reauths()) == 1


async def test_a_key_refused_at_setup_is_asked_for_again(
    hass: HomeAssistant, rivya: Simulator, entry: MockConfigEntry, flows: Flows
) -> None:
    rivya.set_key_state(KEY, "revoked")
    assert not await hass.config_entries.async_setup(entry.entry_id)
    assert entry.state is ConfigEntryState.SETUP_ERROR
    [reauth] = flows.reauths()
    rivya.add_key(rivya.accounts[0], NEW_KEY)
    result = await flows.send(reauth, NEW_KEY)
    assert result["reason"] == "reauth_successful"
    await flows.time.settle()
    assert entry.state is ConfigEntryState.LOADED


@pytest.mark.parametrize("kind", ["reauth", "reconfigure"])
async def test_a_new_key_leaves_the_address_alone_unless_it_is_changed(
    hass: HomeAssistant,
    rivya: Simulator,
    account: MockConfigEntry,
    base_url: str,
    flows: Flows,
    kind: str,
) -> None:
    rivya.add_key(rivya.accounts[0], NEW_KEY)
    start = getattr(account, f"start_{kind}_flow")
    result = await flows.send(await start(hass), NEW_KEY)
    assert result["reason"] == f"{kind}_successful"
    assert account.data == {CONF_API_KEY: NEW_KEY, CONF_BASE_URL: base_url}
    assert account.title == "Rivya"
    await flows.time.settle()
    assert account.state is ConfigEntryState.LOADED
    async with TestServer(create_app(rivya), host="127.0.0.1") as server:
        elsewhere = str(server.make_url("")).rstrip("/")
        await flows.send(await start(hass), NEW_KEY, elsewhere)
        await flows.time.settle()
        assert account.data[CONF_BASE_URL] == elsewhere
        assert account.state is ConfigEntryState.LOADED
        await hass.config_entries.async_unload(account.entry_id)


@pytest.mark.parametrize("kind", ["reauth", "reconfigure"])
async def test_the_key_of_another_account_is_refused_and_the_form_goes_on(
    hass: HomeAssistant,
    rivya: Simulator,
    account: MockConfigEntry,
    base_url: str,
    flows: Flows,
    kind: str,
) -> None:
    other_account(hass, rivya, base_url)
    form = await getattr(account, f"start_{kind}_flow")(hass)
    form = await flows.send(form, OTHER_KEY)
    assert form["type"] is FlowResultType.FORM
    assert form["errors"] == {"base": "already_configured"}
    assert account.data[CONF_API_KEY] == KEY
    result = await flows.send(form, KEY)
    assert result["reason"] == f"{kind}_successful"
    await flows.time.settle()


@pytest.mark.parametrize("kind", ["reauth", "reconfigure"])
@pytest.mark.parametrize("failure", ["revoked key", "scope", "500", "a web page"])
async def test_a_failure_leaves_the_account_as_it_is(
    hass: HomeAssistant,
    rivya: Simulator,
    entry: MockConfigEntry,
    flows: Flows,
    kind: str,
    failure: str,
) -> None:
    before = dict(entry.data)
    spoil, error = FAILURES[failure]
    spoil(rivya)
    form = await getattr(entry, f"start_{kind}_flow")(hass)
    form = await flows.send(form, KEY)
    assert form["errors"] == {"base": error}
    assert entry.data == before
    make_right(rivya)
    result = await flows.send(form, KEY)
    assert result["reason"] == f"{kind}_successful"
    await flows.time.settle()
    assert entry.state is ConfigEntryState.LOADED


async def test_a_reconfigured_account_keeps_what_was_pending(
    hass: HomeAssistant,
    rivya: Simulator,
    account: MockConfigEntry,
    flows: Flows,
    act: Act,
    time: Time,
) -> None:
    generation = await act("generate", prompt="A boat")
    form = await account.start_reconfigure_flow(hass)
    assert form["step_id"] == "reconfigure"
    await flows.send(form, KEY)
    await time.pass_by(100)
    record = await act("get_generation", generation_id=generation["generation_id"])
    assert record["status"] == "succeeded"
    assert len(rivya.requests_to("POST", GENERATIONS)) == 1


# Options.


async def test_the_options_offer_the_models_of_the_live_catalog(
    hass: HomeAssistant, rivya: Simulator, entry: MockConfigEntry
) -> None:
    rivya.catalog.append(
        rivya.model("sora-2") | {"id": "sora-9", "display_name": "Sora 9"}
    )
    rivya.model("veo3-1-fast")["api_status"] = "studio_only"
    rivya.catalog.append({"id": "talker", "category": "chat"})
    assert await hass.config_entries.async_setup(entry.entry_id)
    form = await hass.config_entries.options.async_init(entry.entry_id)
    assert form["type"] is FlowResultType.FORM
    assert form["step_id"] == "init"
    config = form["data_schema"].schema[CONF_DEFAULT_MODEL].config
    assert {"value": "sora-9", "label": "Sora 9 (sora-9)"} in config["options"]
    offered = {option["value"] for option in config["options"]}
    assert not offered & {"talker", "veo3-1-fast"}
    assert config["custom_value"] is True
    assert {
        str(marker): marker.description["suggested_value"]
        for marker in form["data_schema"].schema
    } == {
        CONF_DEFAULT_MODEL: DEFAULT_MODEL,
        CONF_CONCURRENCY: DEFAULT_CONCURRENCY,
    }


async def test_options_reload_the_account_and_take_effect(
    hass: HomeAssistant,
    rivya: Simulator,
    account: MockConfigEntry,
    flows: Flows,
    act: Act,
) -> None:
    coordinator = account.runtime_data
    result = await flows.set_options(
        account, default_model="sora-2-pro", concurrency=1.0
    )
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert account.options == {CONF_DEFAULT_MODEL: "sora-2-pro", CONF_CONCURRENCY: 1}
    assert isinstance(account.options[CONF_CONCURRENCY], int)
    assert account.state is ConfigEntryState.LOADED
    assert account.runtime_data is not coordinator
    first = await act("generate", prompt="A boat")
    second = await act("generate", prompt="A boat")
    assert first["model"] == second["model"] == "sora-2-pro"
    assert second["status"] == "waiting"
    form = await hass.config_entries.options.async_init(account.entry_id)
    assert [
        marker.description["suggested_value"] for marker in form["data_schema"].schema
    ] == ["sora-2-pro", 1]


@pytest.mark.parametrize(
    ("typed", "kept"),
    [("my-model", "my-model"), (" my-model\n", "my-model"), (" ", DEFAULT_MODEL)],
)
async def test_a_model_that_is_not_in_the_list_can_be_typed(
    account: MockConfigEntry, flows: Flows, typed: str, kept: str
) -> None:
    await flows.set_options(account, default_model=typed)
    assert account.options[CONF_DEFAULT_MODEL] == kept


@pytest.mark.parametrize("concurrency", [0, 21, "many"])
async def test_a_number_out_of_bounds_is_refused(
    account: MockConfigEntry, flows: Flows, concurrency: Any
) -> None:
    with pytest.raises(InvalidData) as refusal:
        await flows.set_options(account, concurrency=concurrency)
    assert refusal.value.schema_errors.keys() == {CONF_CONCURRENCY}
    assert account.options == {}


async def test_options_can_be_set_while_the_account_is_not_loaded(
    hass: HomeAssistant, entry: MockConfigEntry, flows: Flows
) -> None:
    form = await hass.config_entries.options.async_init(entry.entry_id)
    config = form["data_schema"].schema[CONF_DEFAULT_MODEL].config
    assert {"value": "sora-2", "label": "Sora 2 (sora-2)"} in config["options"]
    await flows.set_options(entry, default_model="wan-2-6", concurrency=5)
    assert entry.options == {CONF_DEFAULT_MODEL: "wan-2-6", CONF_CONCURRENCY: 5}
