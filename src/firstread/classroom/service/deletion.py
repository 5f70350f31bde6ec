"""To be forgotten: a participant's rows, their server and name in the hub, and their folder."""

import shutil
from contextlib import suppress
from typing import Any

from firstread.classroom.class_folder import ClassFolder
from firstread.classroom.database.store import Store
from firstread.core.errors import DataError

PATIENCE_SECONDS = 40


async def leave_hub(hub: Any, username: str) -> bool:
    """End a participant's server and delete their name in the hub; False if the hub could not be asked."""
    import aiohttp

    address, token = getattr(hub, "api_url", ""), getattr(hub, "api_token", "")
    if not address or not token:
        return False
    patience = aiohttp.ClientTimeout(total=PATIENCE_SECONDS)
    with suppress(aiohttp.ClientError, TimeoutError):
        async with (
            aiohttp.ClientSession(timeout=patience, headers={"Authorization": f"token {token}"}) as session,
            session.delete(f"{address.rstrip('/')}/users/{username}") as answer,
        ):
            return answer.status in (204, 404)
    return False


def forget(folder: ClassFolder, store: Store, username: str) -> None:
    """Delete what the class knows of a participant, and their folder. It may be done again if it was cut short.

    Raises:
        DataError: something in their folder could not be deleted.
    """
    store.forget(username)
    if store.engine.dialect.name == "sqlite":  # its journal would hold the deleted rows for a while
        with store.engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    for place in (folder.home_of(username), folder.sockets_of(username)):
        if place.is_symlink():
            place.unlink()
        else:
            shutil.rmtree(place, ignore_errors=True)
        if place.exists():
            raise DataError("Some of your files could not be deleted", do="tell the instructor, who can delete them")
