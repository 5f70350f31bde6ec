"""Deletion of participants: their database rows, their user and server in the hub, and their home folder."""

import asyncio
import shutil
from contextlib import suppress
from typing import Any

from firstread.classroom.class_folder import ClassFolder
from firstread.classroom.database.store import Store
from firstread.core.errors import DataError

HUB_TIMEOUT_SECONDS = 40


async def delete_hub_user(hub: Any, username: str) -> bool:
    """Stop a participant's server and delete their user in the hub; False if the hub does not answer."""
    import aiohttp

    address, token = getattr(hub, "api_url", ""), getattr(hub, "api_token", "")
    if not address or not token:
        return False
    timeout = aiohttp.ClientTimeout(total=HUB_TIMEOUT_SECONDS)
    with suppress(aiohttp.ClientError, TimeoutError):
        async with (
            aiohttp.ClientSession(timeout=timeout, headers={"Authorization": f"token {token}"}) as session,
            session.delete(f"{address.rstrip('/')}/users/{username}") as response,
        ):
            return response.status in (204, 404)
    return False


def delete_participant(folder: ClassFolder, store: Store, username: str) -> None:
    """Delete a participant's database rows and folders. May be repeated after an interruption.

    Raises:
        DataError: something in their folder could not be deleted.
    """
    store.delete_participant(username)
    store.truncate_log()
    for path in (folder.home_of(username), folder.sockets_folder_of(username)):
        if path.is_symlink():
            path.unlink()
        else:
            shutil.rmtree(path, ignore_errors=True)
        if path.exists():
            raise DataError("Some of your files could not be deleted", do="tell the instructor, who can delete them")


async def remove_participant(store: Store, hub: Any, username: str) -> str:
    """Remove a participant from the class, but keep their folder; returns a sentence about their server.

    The hub deletes them first, which ends their server and their sessions, so no further events of theirs can arrive.

    Args:
        hub: has the `api_url` of the hub and the `api_token` of this service, as `HubAuth` does.
    """
    server_ended = await delete_hub_user(hub, username)
    await asyncio.to_thread(store.delete_participant, username)
    if server_ended:
        return "Their server has ended."
    return "Their server could not be ended from here; it ends with the class. What it tells is no longer heard."
