"""Loopback names and addresses are recognized, and the outbound address is an address or nothing."""

import ipaddress
import socket

import pytest

from firstread.classroom.network_address import is_loopback, outbound_address


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("0.0.0.0", False),
        ("192.168.7.4", False),
        ("localhost.example", False),
        ("", False),
    ],
)
def test_only_hosts_that_no_other_machine_reaches_are_loopback(host, expected):
    assert is_loopback(host) is expected


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_the_outbound_address_is_of_the_asked_family(family):
    found = outbound_address(family)
    if found is not None:
        assert ipaddress.ip_address(found).version == (6 if family == socket.AF_INET6 else 4)


def test_a_machine_without_a_network_has_no_outbound_address(monkeypatch):
    class Unreachable(socket.socket):
        def connect(self, _address):
            raise OSError("Network is unreachable")

    monkeypatch.setattr(socket, "socket", Unreachable)
    assert outbound_address() is None
