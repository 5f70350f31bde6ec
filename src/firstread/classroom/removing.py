"""Taking somebody out of a class: their place, what is kept of them, and their server."""

import asyncio
from typing import Any
from urllib.parse import quote

from aiohttp import ClientError, ClientSession, ClientTimeout

from firstread.classroom.store import Store

_PATIENCE = ClientTimeout(total=30)


async def remove(store: Store, hub: Any, username: str) -> str:
    """Remove a participant; what was done about their server, in a sentence.

    The hub forgets them first, which ends their server and their sessions; after that nothing of theirs can tell the class anything more.
    For that the service needs the hub's scope `delete:users`.

    Args:
        hub: where its API is and this service's token, as in `HubAuth`.
    """
    ended = await _hub_forgets(getattr(hub, "api_url", ""), getattr(hub, "api_token", ""), username)
    await asyncio.to_thread(store.forget, username)
    if ended:
        return "Their server has ended."
    return "Their server could not be ended from here; it ends with the class. What it tells is no longer heard."


async def _hub_forgets(address: str, token: str, username: str) -> bool:
    if not address or not token:
        return False
    try:
        async with (
            ClientSession(timeout=_PATIENCE, headers={"Authorization": f"token {token}"}) as session,
            session.delete(f"{address.rstrip('/')}/users/{quote(username, safe='')}") as answer,
        ):
            return answer.status in (204, 404)
    except (ClientError, TimeoutError, OSError):
        return False
