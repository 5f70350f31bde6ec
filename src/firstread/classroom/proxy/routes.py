"""Routing table of the proxy: the target of a host and path, kept on disk for a restart."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from firstread.core.errors import FirstreadError
from firstread.core.files import read_json, write_json


@dataclass(frozen=True)
class Route:
    """A target of all requests whose path begins with the route's.

    Attributes:
        host: with host routing, the host name that it is for; empty for all.
        path: decoded, without a slash at its end; empty for all.
        target: scheme, host and port.
        data: what JupyterHub stores with it: `hub`, `service` or `user`.
    """

    host: str
    path: str
    target: str
    data: dict[str, Any] = field(default_factory=dict)

    @property
    def is_participant(self) -> bool:
        """True if the target is a participant's server."""
        return "user" in self.data

    @property
    def key(self) -> str:
        """Path of the route in the API, which has the host as its first segment."""
        return f"/{self.host}{self.path}" if self.host else self.path or "/"


class RouteTable:
    """Routes by host and path.

    Args:
        file: JSON file that the routes are kept in; None for none.
        host_routing: the first segment of a route's path in the API is a host name.
    """

    def __init__(self, file: Path | None = None, *, host_routing: bool = False) -> None:
        self.file, self.host_routing = file, host_routing
        self._routes: dict[tuple[str, str], Route] = {}
        if file is not None and file.exists():
            with suppress(FirstreadError, TypeError):  # the hub sets its routes again
                self._routes = {
                    (route.host, route.path): route for route in (Route(**item) for item in read_json(file))
                }

    def __iter__(self) -> Iterator[Route]:
        return iter(self._routes.values())

    def get(self, key: str) -> Route | None:
        """The route of this path in the API."""
        return self._routes.get(self._split(key))

    def add(self, key: str, target: str, data: dict[str, Any]) -> None:
        """Add a route, in place of one of the same path."""
        host, path = self._split(key)
        route = Route(host, path, target.rstrip("/"), data)
        if self._routes.get((host, path)) != route:
            self._routes[host, path] = route
            self._save()

    def remove(self, key: str) -> bool:
        """Remove a route; False if there is none."""
        removed = self._routes.pop(self._split(key), None) is not None
        if removed:
            self._save()
        return removed

    def find(self, raw_path: str, *, host: str = "") -> Route | None:
        """The route of the host whose path is the longest that begins the request's, else the one for all requests.

        Args:
            raw_path: percent-encoded; an escaped slash separates no segments.
            host: of the request, without its port; used with host routing only.
        """
        host = host.lower() if self.host_routing else ""
        segments = [part if "%2f" in part.lower() else unquote(part) for part in raw_path.split("/")]
        for count in range(len(segments), 0, -1):
            if found := self._routes.get((host, "/".join(segments[:count]).rstrip("/"))):
                return found
        return self._routes.get(("", ""))

    def _split(self, key: str) -> tuple[str, str]:
        path = key.rstrip("/")
        if not self.host_routing or not path:
            return "", path
        host, _, rest = path.lstrip("/").partition("/")
        return host.lower(), f"/{rest}".rstrip("/")

    def _save(self) -> None:
        if self.file is not None:
            write_json(self.file, [asdict(route) for route in self])
