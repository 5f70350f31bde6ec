"""The address on the screen is one that others can reach."""

import pytest

pytest.importorskip("segno", reason="the classroom needs firstread[classroom]")

from firstread.classroom.class_folder import ClassFolder
from firstread.classroom.service import invitation


def invite(monkeypatch, tmp_path, seen, **settings):
    monkeypatch.setenv("FIRSTREAD_HOME", str(tmp_path))
    folder = ClassFolder.create("class", lesson="hello-world", **settings)
    return invitation.build_invitation(folder, {"host": "10.0.0.9:1", "x-forwarded-host": seen})


@pytest.mark.parametrize(
    ("seen", "host", "address"),
    [
        ("class.hospital.example", "0.0.0.0", "http://class.hospital.example/"),
        ("192.168.7.4:8000", "192.168.7.4", "http://192.168.7.4:8000/"),
        ("192.168.7.4:8001", "192.168.7.4", "http://192.168.7.4:8000/"),
        ("[fd00::7]:8001", "fd00::7", "http://[fd00::7]:8000/"),
        ("127.0.0.1:8000", "0.0.0.0", "http://10.1.2.3:8000/"),
        ("localhost:8000", "192.168.7.4", "http://192.168.7.4:8000/"),
        ("[::1]:8000", "fd00::7", "http://[fd00::7]:8000/"),
    ],
)
def test_an_instructor_at_the_machine_itself_shows_where_others_go(monkeypatch, tmp_path, seen, host, address):
    monkeypatch.setattr(invitation, "outbound_address", lambda: "10.1.2.3")
    found = invite(monkeypatch, tmp_path, seen, host=host)
    assert (found["address"], found["warning"]) == (address, "")
    assert found["qr_svg"].startswith("<svg")


def test_a_class_for_this_computer_only_says_so(monkeypatch, tmp_path):
    found = invite(monkeypatch, tmp_path, "127.0.0.1:8000")
    assert found["address"] == "http://127.0.0.1:8000/"
    assert "this computer only" in found["warning"]
