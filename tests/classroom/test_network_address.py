"""Loopback names and addresses are recognized, and the outbound address is an address or nothing."""

import ipaddress
import socket

import pytest

from firstread.classroom.network_address import (
    check_subdomain_host,
    has_subdomains,
    is_loopback,
    outbound_address,
)
from firstread.core.errors import SettingError


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


@pytest.mark.parametrize("name", ["", "class.example", "a-b.class.hospital.example", "class.localhost"])
def test_a_name_that_can_have_subdomains_is_taken(name):
    check_subdomain_host(name)


@pytest.mark.parametrize(
    "name",
    [
        *(
            "class",
            "127.0.0.1",
            "::1",
            "https://class.example",
            "class.example:8000",
            "class.example/",
            "*.class.example",
        ),
        *("Class.example", "class..example", "-a.example", "a.example.", "a b.example", "class.example; script-src *"),
        "a." * 120 + "example",
    ],
)
def test_anything_else_is_refused_in_a_sentence(name):
    with pytest.raises(SettingError, match=r"such as class\.hospital\.example"):
        check_subdomain_host(name)


def test_names_below_localhost_are_known_to_browsers_and_those_below_a_made_up_name_to_nobody(monkeypatch):
    assert has_subdomains("class.localhost")

    def refuse(name, port):
        assert name == "p1.class.example"
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    assert not has_subdomains("class.example")
