"""State of the classroom service that its routes share, as a FastAPI dependency."""

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Request

from firstread.classroom.class_folder import ClassFolder
from firstread.classroom.database.store import Store
from firstread.classroom.progress.dashboard import Dashboard
from firstread.classroom.progress.participant_view import ParticipantView
from firstread.classroom.rate_limits import RateLimiter, trusted_client_address
from firstread.classroom.service.personal_links import DueLinksCache

SESSION_SECONDS = 12 * 3600


@dataclass(frozen=True)
class ServiceState:
    """Shared state of the service of one class.

    Attributes:
        hub: resolves a token to its user, as `HubAuth` does.
        login_limiter: counts wrong instructor keys by address.
        participant_view: status of the class for participants.
        due_links: links to the quizzes and the survey that are due, by participant.
    """

    folder: ClassFolder
    store: Store
    dashboard: Dashboard
    hub: Any
    login_limiter: RateLimiter
    participant_view: ParticipantView
    due_links: DueLinksCache

    def client_address(self, request: Request) -> str:
        """Client address of a request, for the rate limits."""
        folder = self.folder
        return trusted_client_address(request.headers, proxy_token=folder.proxy_token, proxy_count=folder.proxy_count)


def service_state(request: Request) -> ServiceState:
    """State of the application that handles a request."""
    return request.app.state.service


State = Annotated[ServiceState, Depends(service_state)]
