"""Opaque ids, and the links to results that are made of them."""

from collections.abc import Callable
import random

from .errors import ApiError
from .records import Link, SimGeneration
from .settings import Settings


class Ids:
    """Opaque ids. Each prefix counts for itself: one more request shifts no task id."""

    def __init__(self, settings: Settings) -> None:
        """Start every sequence of the settings' seed."""
        self._settings = settings
        self._sequences: dict[str, random.Random] = {}

    def new(self, prefix: str) -> str:
        """Return the next id of a prefix."""
        if prefix not in self._sequences:
            seed = self._settings.seed
            self._sequences[prefix] = random.Random(
                None if seed is None else f"{seed}:{prefix}"
            )
        return f"{prefix}_{self._sequences[prefix].getrandbits(96):024x}"


class Links:
    """Every link ever given out."""

    def __init__(
        self, clock: Callable[[], float], settings: Settings, ids: Ids
    ) -> None:
        """Start without links."""
        self._clock = clock
        self._settings = settings
        self._ids = ids
        self._links: dict[str, Link] = {}

    def of(self, generation: SimGeneration) -> list[Link]:
        """Return links that work now: the last ones as long as they do, else new."""
        now, lifetime = self._clock(), self._settings.url_lifetime
        stale = any(link.expired(now) for link in generation.links)
        if generation.links and not stale and self._settings.links == "stable":
            return generation.links
        generation.links = [
            Link(
                token=self._ids.new("media"),
                task_id=generation.task_id,
                index=index,
                item=item,
                expires_at=None if lifetime is None else now + lifetime,
            )
            for index, item in enumerate(generation.items)
        ]
        self._links.update((link.token, link) for link in generation.links)
        return generation.links

    def get(self, token: str) -> Link:
        """Return a link that still works, or refuse it."""
        link = self._links.get(token)
        if link is None:
            raise ApiError("not_found", "There is no such result.")
        if link.expired(self._clock()):
            status = self._settings.expired_status
            raise ApiError("expired", "The link has expired.", status=status)
        return link
