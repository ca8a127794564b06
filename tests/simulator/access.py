"""Who may ask, what for, and how often: accounts, keys, scopes, the rate limit."""

from collections.abc import Callable, Collection
from email.utils import formatdate

from .errors import ApiError
from .records import ALL_SCOPES, Account, ApiKey, KeyState
from .settings import Settings

REFUSALS: dict[KeyState, tuple[str, str]] = {
    "invalid": ("api_key_invalid", "The API key could not be verified."),
    "revoked": ("api_key_revoked", "The API key has been revoked."),
    "expired": ("api_key_expired", "The API key has expired."),
}


class Access:
    """The keys there are and what they have used of their window."""

    def __init__(self, clock: Callable[[], float], settings: Settings) -> None:
        """Start without keys."""
        self._clock = clock
        self._settings = settings
        self.keys: dict[str, ApiKey] = {}
        self._windows: dict[Account | ApiKey, tuple[float, int]] = {}

    def add_key(
        self, account: Account, key: str, scopes: Collection[str] = ALL_SCOPES
    ) -> ApiKey:
        """Give an account a key."""
        if key in self.keys:
            raise ValueError("This key exists already.")
        added = self.keys[key] = ApiKey(key, account, set(scopes))
        account.keys.append(added)
        return added

    def authorize(self, authorization: str | None, scope: str) -> Account:
        """Return whose request this is, or refuse it: 401, then 429, then 403."""
        key = self._authenticate(authorization)
        self._check_rate(key)
        if scope not in key.scopes:
            raise ApiError("api_scope_denied", f"The API key lacks the scope {scope}.")
        return key.account

    def anonymous(self, authorization: str) -> str:
        """Return an Authorization header fit to be recorded: whose key, not which."""
        scheme, _, value = authorization.partition(" ")
        key = self.keys.get(value.strip())
        return f"{scheme} {key.account.name if key else value[:8] + '...'}"

    def _authenticate(self, authorization: str | None) -> ApiKey:
        """Return the key of an Authorization header that works."""
        scheme, _, value = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not value.strip():
            raise ApiError("api_key_missing", "A valid Bearer API key is required.")
        key = self.keys.get(value.strip())
        if key is None or key.state != "active":
            raise ApiError(*REFUSALS[key.state if key else "invalid"])
        return key

    def _check_rate(self, key: ApiKey) -> None:
        """Count a request in the current window, refuse one too many."""
        limit, length = self._settings.rate_limit, self._settings.rate_window
        if limit is None:
            return
        subject = key if self._settings.rate_limit_per == "key" else key.account
        now = self._clock()
        start = now - now % length
        window, count = self._windows.get(subject, (start, 0))
        count = count + 1 if window == start else 1
        self._windows[subject] = (start, count)
        if count > limit:
            headers = self._retry_after(start + length)
            raise ApiError("rate_limited", "Too many requests.", headers=headers)

    def _retry_after(self, at: float) -> dict[str, str]:
        """Return the header that says when the window ends, if there is to be one."""
        match self._settings.retry_after_header:
            case "seconds":
                return {"Retry-After": str(max(1, round(at - self._clock())))}
            case "date":
                return {"Retry-After": formatdate(at, usegmt=True)}
            case None:
                return {}
