"""The few calls of Home Assistant's HTTP and WebSocket API that the demo needs."""

from http import HTTPStatus
import secrets
from types import TracebackType
from typing import Any, Self

import aiohttp

from .errors import RefusedError

OWNER = "demo"

type Json = dict[str, Any]


class HomeAssistantApi:
    """One signed-in user of a running Home Assistant."""

    def __init__(self, url: str) -> None:
        """Talk to the Home Assistant at this address."""
        self.url = url
        self._client_id = f"{url}/"
        self._token = ""
        self._session: aiohttp.ClientSession

    async def __aenter__(self) -> Self:
        """Open a session; answers of actions that wait may take long."""
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=None, connect=30)
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the session."""
        await self._session.close()

    async def request(self, method: str, path: str, **options: Any) -> Any:
        """Send one request and return the JSON answer."""
        headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        async with self._session.request(
            method, self.url + path, headers=headers, **options
        ) as response:
            if response.status >= HTTPStatus.BAD_REQUEST:
                raise RefusedError(
                    f"{method} {path}: {response.status} {await response.text()}"
                )
            return await response.json()

    async def answers(self, path: str) -> bool:
        """Tell whether Home Assistant already serves this path."""
        try:
            async with self._session.get(self.url + path) as response:
                return response.status == HTTPStatus.OK
        except aiohttp.ClientError:
            return False

    async def onboard(self) -> None:
        """Make the owner, unless there is one; nobody ever needs the password."""
        if not await self.answers("/api/onboarding"):  # gone from the second start on
            return
        owner = {"name": "Demo", "username": OWNER, "password": secrets.token_urlsafe()}
        await self.request(
            "POST",
            "/api/onboarding/users",
            json={**owner, "client_id": self._client_id, "language": "en"},
        )

    async def log_in(self) -> None:
        """Sign in as a browser on this machine does: by its address."""
        self._token = ""
        flow = await self.request(
            "POST",
            "/auth/login_flow",
            json={
                "client_id": self._client_id,
                "handler": ["trusted_networks", None],
                "redirect_uri": self._client_id,
            },
        )
        if flow["type"] != "create_entry":
            raise RefusedError(f"Home Assistant let nobody in: {flow}")
        form = {
            "grant_type": "authorization_code",
            "code": flow["result"],
            "client_id": self._client_id,
        }
        answer = await self.request("POST", "/auth/token", data=form)
        self._token = answer["access_token"]

    async def command(self, kind: str, **data: Any) -> Any:
        """Send one WebSocket command, in its own connection, and return its result."""
        async with self._session.ws_connect(
            f"{self.url}/api/websocket", heartbeat=30, max_msg_size=0
        ) as socket:
            await _received(socket)
            await socket.send_json({"type": "auth", "access_token": self._token})
            await _received(socket)
            await socket.send_json({"id": 1, "type": kind, **data})
            answer = await _received(socket)
        if not answer.get("success"):
            raise RefusedError(answer.get("error", answer)["message"])
        return answer["result"]

    async def perform(self, action: str, data: Json) -> Json:
        """Perform an action and return its answer.

        By WebSocket as the frontend does: the REST view answers a violated schema with
        a bare "400".
        """
        domain, service = action.split(".")
        result = await self.command(
            "call_service",
            domain=domain,
            service=service,
            service_data=data,
            return_response=True,
        )
        answer: Json = result["response"]
        return answer

    async def add_account(self, api_key: str, base_url: str) -> Json:
        """Go through the config flow of the integration and return the new entry."""
        flows = "/api/config/config_entries/flow"
        step = await self.request("POST", flows, json={"handler": "rivya"})
        if step["type"] == "form":
            form = {"api_key": api_key, "advanced": {"base_url": base_url}}
            step = await self.request("POST", f"{flows}/{step['flow_id']}", json=form)
        if step["type"] != "create_entry":
            raise RefusedError(await self._flow_text(step))
        entry: Json = step["result"]
        return entry

    async def _flow_text(self, step: Json) -> str:
        """Return what a person would read below the form, or in place of it."""
        found = await self.command(
            "frontend/get_translations",
            language="en",
            category="config",
            integration=["rivya"],
            config_flow=True,
        )
        texts: dict[str, str] = found["resources"]
        keys = [f"component.rivya.config.{key}" for key in _problems(step)]
        text = " ".join(texts.get(key, key) for key in keys)
        for name, value in (step.get("description_placeholders") or {}).items():
            text = text.replace(f"{{{name}}}", str(value))
        return f"The account could not be added: {text}"


def _problems(step: Json) -> list[str]:
    """Return the keys of the texts that say why a flow did not get further."""
    if step["type"] == "abort":
        return [f"abort.{step['reason']}"]
    return [f"error.{key}" for key in (step.get("errors") or {}).values()]


async def _received(socket: aiohttp.ClientWebSocketResponse) -> Json:
    """Return the next message, unless the connection is lost."""
    message = await socket.receive()
    if message.type is not aiohttp.WSMsgType.TEXT:
        raise aiohttp.ServerDisconnectedError("Home Assistant closed the connection")
    answer: Json = message.json()
    return answer
