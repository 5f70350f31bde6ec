"""State of the class for one participant: plan, called step, broadcasts, and the participant's own help request.

A hundred notebooks poll it every few seconds; all are answered from one cached read of the class database.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from firstread.classroom.database.help_requests import is_answered, list_help_requests
from firstread.classroom.database.schema import Broadcast, ClassState, HelpRequest, Participant
from firstread.classroom.database.store import AccessError, Store, as_utc, elapsed_minutes
from firstread.classroom.progress.progress_tracker import AWAY_SECONDS, planned_step

#: how long one read of the class database is used
CACHE_SECONDS = 0.7
#: a participant's last-seen time is written at most this often, and not at each poll
LAST_SEEN_SECONDS = 15.0
#: interval between two polls of a notebook; longer in a large class, so that all together send this many a second
POLL_SECONDS, MAX_POLL_SECONDS, MAX_POLLS_PER_SECOND = 5.0, 15.0, 12.0


@dataclass(frozen=True)
class _ClassSnapshot:
    """One read of the class database, cached for all participants."""

    state: ClassState
    broadcasts: list[Broadcast]
    help_requests: list[HelpRequest]
    participants: dict[str, Participant]
    poll_seconds: float


class ParticipantView:
    """Reads the state of the class for participants.

    Args:
        store: the class database.
        steps: of the lesson: `id`, `title` and planned `minutes`.
    """

    def __init__(self, store: Store, steps: Sequence[Mapping[str, Any]]) -> None:
        self.store, self.steps = store, steps
        self._snapshot: _ClassSnapshot | None = None
        self._valid_until = 0.0
        self._lock = asyncio.Lock()

    def invalidate(self) -> None:
        """Drop the cached read, because something has changed."""
        self._valid_until = 0.0

    async def for_participant(self, username: str, *, after: int = 0) -> dict[str, Any]:
        """State of the class for one participant.

        Args:
            after: id of the last broadcast that the notebook has; only later ones are returned.

        Raises:
            AccessError: there is no such participant.
        """
        snapshot = await self._current_snapshot()
        participant = snapshot.participants.get(username)
        if participant is None:
            raise AccessError("There is no such participant", do="join the class again")
        now = datetime.now(UTC)
        if (now - as_utc(participant.seen)).total_seconds() > LAST_SEEN_SECONDS:
            await asyncio.to_thread(self.store.mark_seen, username)
        own_requests = [one for one in snapshot.help_requests if one.participant_id == participant.id]
        return {
            "steps": [{name: step[name] for name in ("id", "title", "minutes")} for step in self.steps],
            "called": snapshot.state.step,
            "again_seconds": snapshot.poll_seconds,
            "plan": self._plan_state(snapshot.state),
            "broadcasts": [
                {"id": one.id, "text": one.text, **_sent(one.sent, now)}
                for one in snapshot.broadcasts
                if one.id > after and as_utc(one.sent) >= as_utc(participant.joined)
            ],
            "help": _open_request(own_requests, snapshot.help_requests),
            "answers": [
                {"id": one.id, "note": one.note, "text": one.answer, **_sent(one.changed, now)}
                for one in own_requests
                if one.answer
            ],
        }

    async def _current_snapshot(self) -> _ClassSnapshot:
        async with self._lock:
            if self._snapshot is None or time.monotonic() > self._valid_until:
                # set before the read, so that `invalidate` during the read is not overwritten
                self._valid_until = time.monotonic() + CACHE_SECONDS
                self._snapshot = await asyncio.to_thread(self._read_class)
            return self._snapshot

    def _read_class(self) -> _ClassSnapshot:
        store, now = self.store, datetime.now(UTC)
        participants = {one.username: one for one in store.participants()}
        present = sum((now - as_utc(one.seen)).total_seconds() < AWAY_SECONDS for one in participants.values())
        poll_seconds = min(MAX_POLL_SECONDS, max(POLL_SECONDS, present / MAX_POLLS_PER_SECOND))
        return _ClassSnapshot(
            state=store.state(),
            broadcasts=store.broadcasts(),
            help_requests=list_help_requests(store),
            participants=participants,
            poll_seconds=round(poll_seconds, 1),
        )

    def _plan_state(self, state: ClassState) -> dict[str, Any]:
        elapsed = elapsed_minutes(state, datetime.now(UTC))
        if elapsed is None:
            return {"state": "before", "minutes_left": None, "step": None}
        left = sum(step["minutes"] for step in self.steps) - elapsed
        name = "over" if left <= 0 else "paused" if state.paused else "running"
        return {"state": name, "minutes_left": max(0.0, round(left, 2)), "step": planned_step(self.steps, elapsed)[0]}


def _open_request(own_requests: Sequence[HelpRequest], all_requests: Sequence[HelpRequest]) -> dict[str, Any] | None:
    """The participant's help request that is not resolved, with its place in the queue."""
    request = next((one for one in own_requests if one.state != "resolved"), None)
    if request is None:
        return None
    queue = [one.id for one in all_requests if one.state == "waiting"]
    return {
        "id": request.id,
        "state": "answered" if is_answered(request) else request.state,
        "note": request.note,
        "place": queue.index(request.id) + 1 if request.id in queue else None,
        "asked": _isoformat(request.asked),
    }


def _sent(moment: datetime, now: datetime) -> dict[str, Any]:
    """When a message was sent, and its age by the service's clock: that of a browser may be wrong."""
    return {"sent": _isoformat(moment), "age_seconds": max(0, int((now - as_utc(moment)).total_seconds()))}


def _isoformat(moment: datetime) -> str:
    return as_utc(moment).isoformat()
