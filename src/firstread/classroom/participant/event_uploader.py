"""Jupyter server extension that uploads spooled events to the classroom service, and downloads the class's results.

An event is deleted from the spool only after the service has confirmed it. A kernel needs no network for this, and
while the service is down the events stay in the spool.
"""

import json
import os
from pathlib import Path
from typing import Any

from firstread.classroom.participant.forum_handlers import add_forum_handlers
from firstread.classroom.participant.server_extension import Forwarder, add_handlers
from firstread.core.files import write_bytes
from firstread.core.memory import release_memory
from firstread.lessons.class_runs import class_runs_file
from firstread.lessons.events import get_spool_folder, pending_events

UPLOAD_INTERVAL_MS = 700
MEMORY_RELEASE_INTERVAL_MS = 90_000
RESULTS_INTERVAL_MS = 30_000
BATCH_SIZE = 100


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "firstread.classroom.participant.event_uploader"}]


def _load_jupyter_server_extension(server: Any) -> None:
    from tornado.httpclient import AsyncHTTPClient
    from tornado.ioloop import PeriodicCallback

    folder, address = get_spool_folder(), os.environ.get("FIRSTREAD_CLASSROOM")
    token = os.environ.get("JUPYTERHUB_API_TOKEN")
    if folder is None or not address or not token:
        return
    client = AsyncHTTPClient()
    forwarder = Forwarder(address, token, client)
    add_handlers(server.web_app, forwarder)
    add_forum_handlers(server.web_app, forwarder)
    uploader = EventUploader(folder, address, token, client)
    server.firstread_upload = PeriodicCallback(uploader.upload, UPLOAD_INTERVAL_MS)
    server.firstread_upload.start()
    # jitter spreads the servers of a class over time
    server.firstread_results = PeriodicCallback(uploader.download_results, RESULTS_INTERVAL_MS, jitter=0.2)
    server.firstread_results.start()
    # memory of the server's start and of each saved notebook goes back to the system, which a hundred others share
    server.firstread_memory_release = PeriodicCallback(release_memory, MEMORY_RELEASE_INTERVAL_MS, jitter=0.5)
    server.firstread_memory_release.start()


class EventUploader:
    """Uploads spooled events, oldest first, one batch at a time.

    Args:
        folder: the spool.
        address: of the classroom service, as this server reaches it.
        token: of this participant in the hub.
        client: tornado's `AsyncHTTPClient`, or an object with the same `fetch`.
    """

    def __init__(self, folder: Path, address: str, token: str, client: Any) -> None:
        self.folder, self.address, self.client = folder, address, client
        self.headers = {"Authorization": f"token {token}", "Content-Type": "application/json"}
        self._is_uploading, self._results_etag = False, ""

    async def upload(self) -> int:
        """Upload one batch; returns the number of events that the service confirmed."""
        if self._is_uploading:
            return 0
        self._is_uploading = True
        try:
            return await self._upload_batch()
        except Exception:  # the service does not answer: the events stay in the spool
            return 0
        finally:
            self._is_uploading = False

    async def _upload_batch(self) -> int:
        batch = list(pending_events(self.folder, limit=BATCH_SIZE))
        if not batch:
            return 0
        body = json.dumps([event for _, event in batch])
        await self.client.fetch(
            f"{self.address}api/events", method="POST", headers=self.headers, request_timeout=20, body=body
        )
        for file, _ in batch:
            file.unlink(missing_ok=True)
        return len(batch)

    async def download_results(self) -> bool:
        """Write the class's results beside the spool, where the notebook reads them; True if they are new."""
        file = class_runs_file(self.folder)
        condition = {"If-None-Match": self._results_etag} if self._results_etag and file.exists() else {}
        try:
            response = await self.client.fetch(
                f"{self.address}api/results", headers=self.headers | condition, request_timeout=20, raise_error=False
            )
            if response.code != 200:  # not modified (304), or the service does not answer: the file stays
                return False
            write_bytes(file, response.body)
        except Exception:  # the service does not answer, or the disk is full
            return False
        self._results_etag = response.headers.get("ETag", "")
        return True
