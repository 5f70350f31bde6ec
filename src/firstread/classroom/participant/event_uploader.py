"""In a participant's server: takes the news of their notebooks out of the spool and to the classroom service, and brings the class's results back.

News is deleted from the spool only when the service has said that it has it. A kernel needs no network for this, and a service that is down only makes
the news wait.
"""

import json
import os
from typing import Any

from firstread.classroom.participant.server_extension import Forwarder, add_handlers
from firstread.core.files import write_bytes
from firstread.core.memory import release_memory
from firstread.lessons.class_runs import results_file
from firstread.lessons.events import spool, waiting

EVERY_MS = 700
RELEASE_EVERY_MS = 90_000
RESULTS_EVERY_MS = 30_000
AT_ONCE = 100


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "firstread.classroom.participant.event_uploader"}]


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
    # not all at the same moment
    server.firstread_results = PeriodicCallback(carrier.bring, RESULTS_EVERY_MS, jitter=0.2)
    server.firstread_results.start()
    # what its start needed, and each notebook that it wrote, goes back to the system; a hundred others share it
    server.firstread_release = PeriodicCallback(release_memory, RELEASE_EVERY_MS, jitter=0.5)
    server.firstread_release.start()


class Carrier:
    """Carries what waits, oldest first; one errand at a time."""

    def __init__(self, folder: Any, address: str, token: str, client: Any) -> None:
        self.folder, self.address, self.client = folder, address, client
        self.headers = {"Authorization": f"token {token}", "Content-Type": "application/json"}
        self._busy, self._known = False, ""

    async def carry(self) -> int:
        """One errand; how many pieces of news arrived."""
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
        if not batch:
            return 0
        await self.client.fetch(
            f"{self.address}api/events", method="POST", headers=self.headers, request_timeout=20,
            body=json.dumps([told for _, told in batch]),
        )  # fmt: skip
        for file, _ in batch:
            file.unlink(missing_ok=True)
        return len(batch)

    async def bring(self) -> bool:
        """Put the class's results beside the spool, where the notebook finds them; True if they are new."""
        file = results_file(self.folder)
        known = {"If-None-Match": self._known} if self._known and file.exists() else {}
        try:
            answer = await self.client.fetch(
                f"{self.address}api/results", headers=self.headers | known, request_timeout=20, raise_error=False
            )
            if answer.code != 200:  # nothing new (304), or the service is away: what is there stays
                return False
            write_bytes(file, answer.body)
        except Exception:  # the service is away, or the disk is full
            return False
        self._known = answer.headers.get("ETag", "")
        return True
