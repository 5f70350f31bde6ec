"""Authorizer of a participant's Jupyter server: no conversion of notebooks in the server's own process."""

from typing import Any

from jupyter_server.auth import User
from jupyter_server.auth.authorizer import AllowAllAuthorizer


class ParticipantAuthorizer(AllowAllAuthorizer):
    """Allows a server's owner everything but nbconvert.

    nbconvert looks for its templates in the working folder first, and runs what they say: a file in a participant's
    home would be code of their server, which has the tokens and the network that a kernel does not have.
    """

    def is_authorized(self, handler: Any, user: User, action: str, resource: str) -> bool:
        """True for all resources but "nbconvert"."""
        return resource != "nbconvert" and super().is_authorized(handler, user, action, resource)
