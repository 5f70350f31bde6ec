"""Taking somebody out of a class: their place, what is kept of them, and their server."""

import asyncio
from typing import Any

from firstread.classroom.database.store import Store
from firstread.classroom.service.deletion import leave_hub


async def remove(store: Store, hub: Any, username: str) -> str:
    """Remove a participant; what was done about their server, in a sentence.

    The hub forgets them first, which ends their server and their sessions; after that nothing of theirs can tell the class anything more. Their folder stays.

    Args:
        hub: where its API is and this service's token, as in `HubAuth`.
    """
    ended = await leave_hub(hub, username)
    await asyncio.to_thread(store.forget, username)
    if ended:
        return "Their server has ended."
    return "Their server could not be ended from here; it ends with the class. What it tells is no longer heard."
