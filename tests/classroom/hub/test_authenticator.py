"""Authenticator: right codes and words are let in, wrong ones are counted by what the proxy saw."""

import asyncio
from types import SimpleNamespace

import pytest

pytest.importorskip("jupyterhub", reason="the classroom needs firstread[classroom]")

from tornado import web
from tornado.httputil import HTTPHeaders

from firstread.classroom.class_folder import ClassFolder
from firstread.classroom.hub.authenticator import JoinAuthenticator
from firstread.classroom.rate_limits import MAX_FAILURES, PROXY_TOKEN_HEADER


@pytest.fixture
def authenticator(monkeypatch, tmp_path):
    monkeypatch.setenv("FIRSTREAD_HOME", str(tmp_path))
    folder = ClassFolder.create("class", lesson="hello-world")
    folder.store().create()
    return JoinAuthenticator(class_path=str(folder.path))


def attempt(authenticator, *, address="10.0.0.1", token=None, **data):
    """Status of an attempt to join: 200, or that of the refusal."""
    headers = HTTPHeaders({"X-Forwarded-For": address})
    headers[PROXY_TOKEN_HEADER] = authenticator.folder.proxy_token if token is None else token
    handler = SimpleNamespace(request=SimpleNamespace(headers=headers, remote_ip=address))
    try:
        asyncio.run(authenticator.authenticate(handler, data))
    except web.HTTPError as error:
        return error.status_code
    return 200


def test_whoever_knows_the_code_or_the_word_is_let_in_however_many_others_guess(authenticator):
    code = authenticator.folder.settings.join_code
    _, word = authenticator.store.join("Ana")
    answers = [attempt(authenticator, code="WRONG1", name="x") for _ in range(MAX_FAILURES + 2)]
    assert (answers[0], answers[-1]) == (403, 429)
    assert attempt(authenticator, code=code, name="Bea") == 200
    assert attempt(authenticator, code=code, word=word) == 200
    assert attempt(authenticator, code=code, word="otter-maple-cloud-000") == 429


def test_a_guess_from_inside_cannot_choose_its_address(authenticator):
    answers = [attempt(authenticator, address=f"10.0.{n}.1", token="made up", code="WRONG1") for n in range(40)]
    assert answers[-1] == 429
    assert attempt(authenticator, address="10.0.0.9", code="WRONG1") == 403, "others are not slowed down by it"
