"""Setting up an account, giving it another key, and its options."""

from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any, Final, override

from homeassistant.config_entries import (
    ConfigEntry,
    ConfigFlow,
    ConfigFlowResult,
    OptionsFlowWithReload,
)
from homeassistant.const import CONF_API_KEY
from homeassistant.core import callback
from homeassistant.data_entry_flow import section
from homeassistant.helpers.aiohttp_client import async_get_clientsession
from homeassistant.helpers.selector import (
    NumberSelector,
    NumberSelectorConfig,
    NumberSelectorMode,
    TextSelector,
    TextSelectorConfig,
    TextSelectorType,
)
import voluptuous as vol
from yarl import URL

from .api import (
    DEFAULT_BASE_URL,
    Catalog,
    RivyaApiError,
    RivyaAuthError,
    RivyaClient,
    RivyaConnectionError,
    RivyaDisabledError,
    RivyaError,
    RivyaRateLimitError,
    RivyaScopeError,
    RivyaServerError,
)
from .const import (
    CONF_BASE_URL,
    CONF_CONCURRENCY,
    CONF_DEFAULT_MODEL,
    DEFAULT_CONCURRENCY,
    DEFAULT_MODEL,
    DOMAIN,
    MAX_CONCURRENCY,
)
from .errors import placeholders as error_placeholders
from .forms import chosen_model, model_selector

SECTION_ADVANCED: Final = "advanced"
KEYS_URL: Final = f"{DEFAULT_BASE_URL}/settings"

_AUTH_ERRORS: Final = {
    "api_key_expired": "key_expired",
    "api_key_revoked": "key_revoked",
}
_ERRORS: Final[tuple[tuple[type[RivyaError], str], ...]] = (
    (RivyaScopeError, "scope_missing"),
    (RivyaDisabledError, "api_disabled"),
    (RivyaRateLimitError, "rate_limited"),
    (RivyaServerError, "server_error"),
    (RivyaConnectionError, "cannot_connect"),
)


class RivyaConfigFlow(ConfigFlow, domain=DOMAIN):
    """One step for all: a key, and where it is valid."""

    VERSION = 1
    MINOR_VERSION = 1

    @staticmethod
    @callback
    @override
    def async_get_options_flow(config_entry: ConfigEntry) -> RivyaOptionsFlow:
        """Return the flow for the options."""
        return RivyaOptionsFlow()

    @override
    async def async_step_user(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Add an account."""
        return await self._async_step_key("user", None, user_input)

    async def async_step_reauth(
        self, entry_data: Mapping[str, Any]
    ) -> ConfigFlowResult:
        """Ask for a key that the service accepts."""
        return await self.async_step_reauth_confirm()

    async def async_step_reauth_confirm(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Replace a key that the service refused."""
        return await self._async_step_key(
            "reauth_confirm", self._get_reauth_entry(), user_input
        )

    async def async_step_reconfigure(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Replace the key or the address."""
        return await self._async_step_key(
            "reconfigure", self._get_reconfigure_entry(), user_input
        )

    async def _async_step_key(
        self,
        step_id: str,
        entry: ConfigEntry | None,
        user_input: dict[str, Any] | None,
    ) -> ConfigFlowResult:
        """Show the form, check what comes back, and keep it."""
        errors: dict[str, str] = {}
        placeholders = {"keys_url": KEYS_URL, "scope": "-"}
        base_url = entry.data[CONF_BASE_URL] if entry else DEFAULT_BASE_URL
        if user_input is not None:
            base_url = user_input[SECTION_ADVANCED][CONF_BASE_URL]
            data = {CONF_API_KEY: user_input[CONF_API_KEY].strip()}
            try:
                data[CONF_BASE_URL] = normalized_base_url(base_url)
            except ValueError as err:
                errors["base"] = str(err)
            else:
                try:
                    await self._client(data).get_credits()
                except RivyaError as err:
                    errors["base"] = _error_key(err)
                    placeholders |= error_placeholders(err)
                else:
                    # After the check, so that two flows at once cannot both pass.
                    if not self._is_taken(data, entry):
                        return self._keep(entry, data)
                    if entry is None:
                        return self.async_abort(reason="already_configured")
                    # An aborted reauth would not be asked for again.
                    errors["base"] = "already_configured"
        return self.async_show_form(
            step_id=step_id,
            data_schema=_schema(base_url),
            errors=errors,
            description_placeholders=placeholders,
        )

    def _client(self, data: dict[str, str]) -> RivyaClient:
        """Return a client with what the user entered."""
        return RivyaClient(
            async_get_clientsession(self.hass),
            data[CONF_API_KEY],
            base_url=data[CONF_BASE_URL],
        )

    def _is_taken(self, data: dict[str, str], entry: ConfigEntry | None) -> bool:
        """Tell whether another account has this key.

        The service names no account id, and a key is no unique id; so the keys
        themselves are compared.
        """
        return any(
            other.data.get(CONF_API_KEY) == data[CONF_API_KEY]
            for other in self._async_current_entries(include_ignore=False)
            if entry is None or other.entry_id != entry.entry_id
        )

    def _keep(
        self, entry: ConfigEntry | None, data: dict[str, str]
    ) -> ConfigFlowResult:
        """Make the account, or change the one there is."""
        if entry is not None:
            # The reason is named so that the text is ours and not Home Assistant's.
            return self.async_update_reload_and_abort(
                entry, data_updates=data, reason=f"{self.source}_successful"
            )
        others = {other.title for other in self._async_current_entries()}
        titles = ["Rivya", *(f"Rivya {number}" for number in range(2, len(others) + 3))]
        title = next(title for title in titles if title not in others)
        return self.async_create_entry(title=title, data=data)


class RivyaOptionsFlow(OptionsFlowWithReload):
    """What an account does by default."""

    async def async_step_init(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Show the options and keep them."""
        if user_input is not None:
            return self.async_create_entry(
                data={
                    CONF_DEFAULT_MODEL: chosen_model(user_input[CONF_DEFAULT_MODEL]),
                    CONF_CONCURRENCY: int(user_input[CONF_CONCURRENCY]),
                }
            )
        options = {
            CONF_DEFAULT_MODEL: DEFAULT_MODEL,
            CONF_CONCURRENCY: DEFAULT_CONCURRENCY,
        } | self.config_entry.options
        models = (await self._async_catalog()).models.values()
        schema = vol.Schema(
            {
                vol.Required(CONF_DEFAULT_MODEL): model_selector(
                    model for model in models if model.is_callable
                ),
                vol.Required(CONF_CONCURRENCY): NumberSelector(
                    NumberSelectorConfig(
                        min=1, max=MAX_CONCURRENCY, mode=NumberSelectorMode.BOX
                    )
                ),
            }
        )
        return self.async_show_form(
            step_id="init",
            data_schema=self.add_suggested_values_to_schema(schema, options),
        )

    async def _async_catalog(self) -> Catalog:
        """Return the account's catalog, or the shipped one while it is not loaded."""
        coordinator = getattr(self.config_entry, "runtime_data", None)
        if coordinator is not None:
            catalog: Catalog = coordinator.catalog
            return catalog
        return await self.hass.async_add_executor_job(Catalog.shipped)


def _schema(base_url: str) -> vol.Schema:
    """Return the form for a key and, out of sight, where it is valid.

    The address is a default at both levels: the frontend takes a section's own
    default and does not look for values within it.
    """
    return vol.Schema(
        {
            vol.Required(CONF_API_KEY): TextSelector(
                TextSelectorConfig(
                    type=TextSelectorType.PASSWORD, autocomplete="current-password"
                )
            ),
            vol.Required(SECTION_ADVANCED, default={CONF_BASE_URL: base_url}): section(
                vol.Schema(
                    {
                        vol.Required(CONF_BASE_URL, default=base_url): TextSelector(
                            TextSelectorConfig(type=TextSelectorType.URL)
                        )
                    }
                ),
                {"collapsed": True},
            ),
        }
    )


def normalized_base_url(text: str) -> str:
    """Return an address in the form that is kept.

    Raises:
        ValueError: Its text is the key of the error to show. The key is sent along
            with every request, so plain HTTP is for the home network only.

    """
    try:
        url = URL(text.strip())
        host = url.host
    except ValueError as err:
        raise ValueError("invalid_url") from err
    if (
        url.scheme not in ("http", "https")
        or not host
        or "@" in url.raw_authority
        or url.query_string
        or url.fragment
    ):
        raise ValueError("invalid_url")
    if url.scheme == "http" and not _is_local(host):
        raise ValueError("insecure_url")
    return str(url).rstrip("/")


def _is_local(host: str) -> bool:
    """Tell whether a host is in the home network, as far as its name says."""
    try:
        return ip_address(host).is_private
    except ValueError:
        return "." not in host or host.endswith((".local", ".lan", ".internal"))


def _error_key(error: RivyaError) -> str:
    """Return the key of the text that tells the user what to do."""
    if isinstance(error, RivyaAuthError):
        return _AUTH_ERRORS.get(error.code or "", "invalid_auth")
    for cls, key in _ERRORS:
        if isinstance(error, cls):
            is_rivya = not isinstance(error, RivyaApiError) or error.code is not None
            return key if is_rivya or cls is RivyaServerError else "not_rivya"
    return "not_rivya"
