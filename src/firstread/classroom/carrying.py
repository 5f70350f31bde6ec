"""In a participant's server: takes the news of their notebooks out of the spool and to the classroom service.

It is deleted from the spool only when the service has said that it has it. A kernel needs no network for this, and a service that is down only makes
the news wait.
"""

import json
import os
from typing import Any

from firstread.classroom.beside import Forwarder, add_handlers
from firstread.lessons.telling import spool, waiting

EVERY_MS = 700
AT_ONCE = 100


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "firstread.classroom.carrying"}]


def _load_jupyter_server_extension(server: Any) -> None:
    from tornado.httpclient import AsyncHTTPClient
    from tornado.ioloop import PeriodicCallback

    folder, address = spool(), os.environ.get("FIRSTREAD_CLASSROOM")
    token = os.environ.get("JUPYTERHUB_API_TOKEN")
    if folder is None or not address or not token:
        return
    client = AsyncHTTPClient()
    add_handlers(server.web_app, Forwarder(address, token, client))
    carrier = Carrier(folder, address, token, client)
    server.firstread_carrier = PeriodicCallback(carrier.carry, EVERY_MS)
    server.firstread_carrier.start()


class Carrier:
    """Carries what waits, oldest first; one errand at a time."""

    def __init__(self, folder: Any, address: str, token: str, client: Any) -> None:
        self.folder, self.address, self.client = folder, address, client
        self.headers = {"Authorization": f"token {token}", "Content-Type": "application/json"}
        self._busy, self._quiet = False, 0

    async def carry(self) -> int:
        """One errand; how many pieces of news arrived. An errand without news, now and then, says that this server lives."""
        if self._busy:
            return 0
        self._busy = True
        try:
            return await self._carry()
        except Exception:  # the service is away: the news waits
            return 0
        finally:
            self._busy = False

    async def _carry(self) -> int:
        batch = list(waiting(self.folder, most=AT_ONCE))
        self._quiet = 0 if batch else self._quiet + 1
        if not batch and self._quiet % 15 != 1:
            return 0
        await self.client.fetch(
            f"{self.address}api/events", method="POST", headers=self.headers, request_timeout=20,
            body=json.dumps([told for _, told in batch]),
        )  # fmt: skip
        for file, _ in batch:
            file.unlink(missing_ok=True)
        return len(batch)
