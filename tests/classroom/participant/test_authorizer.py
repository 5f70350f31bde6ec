"""Authorizer of a participant's server: everything but the conversion of notebooks."""

import pytest

pytest.importorskip("jupyter_server", reason="the classroom needs firstread[classroom]")

from jupyter_server.nbconvert.handlers import NbconvertFileHandler, NbconvertPostHandler
from jupyter_server.services.contents.handlers import ContentsHandler
from jupyter_server.services.nbconvert.handlers import NbconvertRootHandler

from firstread.classroom.participant.authorizer import ParticipantAuthorizer


@pytest.mark.parametrize(
    ("handler", "allowed"),
    [
        (NbconvertFileHandler, False),
        (NbconvertPostHandler, False),
        (NbconvertRootHandler, True),
        (ContentsHandler, True),
    ],
)
def test_no_notebook_is_converted(handler, allowed):
    request = handler.__new__(handler)
    assert ParticipantAuthorizer().is_authorized(request, None, "read", handler.auth_resource) is allowed
