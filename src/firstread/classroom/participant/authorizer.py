"""Authorizer of a participant's Jupyter server: no conversion of notebooks in the server's own process."""

from typing import Any

from jupyter_server.auth import User
from jupyter_server.auth.authorizer import AllowAllAuthorizer
from jupyter_server.base.handlers import APIHandler


class ParticipantAuthorizer(AllowAllAuthorizer):
    """Allows a server's owner everything but to convert notebooks.

    nbconvert looks for its templates in the working folder first, and runs what they say: a file in a participant's
    home would be code of their server, which has the tokens and the network that a kernel does not have.
    """

    def is_authorized(self, handler: Any, user: User, action: str, resource: str) -> bool:
        """False for conversions; the list of formats, which JupyterLab asks for, converts nothing."""
        is_conversion = resource == "nbconvert" and not isinstance(handler, APIHandler)
        return not is_conversion and super().is_authorized(handler, user, action, resource)
