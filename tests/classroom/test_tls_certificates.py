"""Validation of TLS certificates, with one error message for each mistake; and the proxy over https."""

import asyncio
import ipaddress
import socket
import ssl
from datetime import UTC, datetime, timedelta

import aiohttp
import pytest
from aiohttp import web

pytest.importorskip("jupyterhub", reason="the classroom needs firstread[classroom]")

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from firstread.classroom.class_folder import ClassFolder
from firstread.classroom.proxy.__main__ import proxy_settings
from firstread.classroom.proxy.proxy_server import ProxyServer, ProxySettings
from firstread.classroom.tls_certificates import check_certificate, public_host
from firstread.core.errors import SettingError

NOW = datetime.now(UTC)
NAMES = [
    x509.DNSName("class.example"),
    x509.DNSName("*.wards.example"),
    x509.DNSName("localhost"),
    x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
]


def make(folder, *, names=NAMES, begins=NOW - timedelta(days=1), ends=NOW + timedelta(days=30), password=None):
    """Write a certificate authority, a certificate signed by it, and its key."""
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    authority, own = (
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]) for name in ("Test authority", "class")
    )

    def signed(subject, key, extension, *, critical):
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(authority).public_key(key.public_key())
        builder = builder.serial_number(x509.random_serial_number()).not_valid_before(begins).not_valid_after(ends)
        return builder.add_extension(extension, critical=critical).sign(keys[0], hashes.SHA256())

    root = signed(authority, keys[0], x509.BasicConstraints(ca=True, path_length=None), critical=True)
    leaf = signed(own, keys[1], x509.SubjectAlternativeName(names), critical=False)
    lock = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    files = {
        "authority": root.public_bytes(serialization.Encoding.PEM),
        "certificate": leaf.public_bytes(serialization.Encoding.PEM),
        "key": keys[1].private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, lock),
        "other key": keys[0].private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, lock),
    }
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return {name: str(folder / name) for name in files}


@pytest.mark.parametrize(
    "host", ["class.example", "CLASS.example", "radiology.wards.example", "127.0.0.1", "0.0.0.0", "::"]
)
def test_a_good_certificate_is_good_for_its_names_and_for_anywhere(tmp_path, host):
    files = make(tmp_path)
    check_certificate(files["certificate"], files["key"], host=host)


@pytest.mark.parametrize("host", ["other.example", "wards.example", "a.b.wards.example", "10.0.0.1"])
def test_a_certificate_for_another_address_is_refused_before_anybody_sees_a_warning(tmp_path, host):
    files = make(tmp_path)
    with pytest.raises(SettingError, match="for another address") as caught:
        check_certificate(files["certificate"], files["key"], host=host)
    assert "class.example" in str(caught.value)


@pytest.mark.parametrize(
    ("certificate", "key", "words"),
    [
        ("missing", "key", "--certificate cannot be read"),
        ("certificate", "missing", "--key cannot be read"),
        ("key", "key", "not a certificate"),
        ("certificate", "certificate", "not a private key"),
        ("certificate", "other key", "does not belong"),
    ],
)
def test_wrong_files_are_told_apart_in_a_sentence(tmp_path, certificate, key, words):
    make(tmp_path)
    with pytest.raises(SettingError, match=words):
        check_certificate(str(tmp_path / certificate), str(tmp_path / key), host="class.example")


def test_a_key_with_a_password_is_no_prompt_in_the_dark(tmp_path):
    files = make(tmp_path, password=b"secret")
    with pytest.raises(SettingError, match="protected by a password"):
        check_certificate(files["certificate"], files["key"], host="class.example")


@pytest.mark.parametrize(
    ("begins", "ends", "words"),
    [(-60, -30, "expired"), (-60, 0.5, "expired, or will within a day"), (2, 60, "not valid yet")],
)
def test_a_certificate_out_of_time_is_refused(tmp_path, begins, ends, words):
    files = make(tmp_path, begins=NOW + timedelta(days=begins), ends=NOW + timedelta(days=ends))
    with pytest.raises(SettingError, match=words):
        check_certificate(files["certificate"], files["key"], host="class.example", now=NOW)


def test_participants_are_shown_an_address_that_they_can_type(tmp_path):
    files = make(tmp_path)
    assert public_host("0.0.0.0", files["certificate"]) == "class.example"
    assert public_host("10.1.2.3", files["certificate"]) == "10.1.2.3"
    assert public_host("0.0.0.0", "") not in ("0.0.0.0", "")


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def test_over_https_pages_and_websockets_go_through_and_plain_http_is_sent_on(tmp_path):
    files = make(tmp_path)
    port, plain, behind = free_port(), free_port(), free_port()

    async def server(request):
        if request.headers.get("Upgrade", "").lower() == "websocket":
            answer = web.WebSocketResponse()
            await answer.prepare(request)
            async for message in answer:
                await answer.send_str(f"heard {message.data}")
            return answer
        return web.json_response({"scheme": request.headers["X-Forwarded-Proto"]})

    async def story():
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", server)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", behind).start()
        own = {"certificate": files["certificate"], "key": files["key"]}
        proxy = ProxyServer(ProxySettings("127.0.0.1", port, redirect_port=plain, **own))
        await proxy.start()
        proxy.routes.add("/", f"http://127.0.0.1:{behind}", {})
        trusted = ssl.create_default_context(cafile=files["authority"])
        try:
            async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trusted)) as session:
                async with session.get(f"https://127.0.0.1:{port}/hub") as answer:
                    assert await answer.json() == {"scheme": "https"}
                async with session.ws_connect(f"wss://127.0.0.1:{port}/user") as sock:
                    await sock.send_str("you")
                    assert await sock.receive_str() == "heard you"
                async with session.get(
                    f"http://127.0.0.1:{plain}/hub/login?code=A%20B", allow_redirects=False
                ) as answer:
                    assert answer.status == 308
                    assert answer.headers["Location"] == f"https://127.0.0.1:{port}/hub/login?code=A%20B"
                with pytest.raises(aiohttp.ClientError):
                    await session.get(f"http://127.0.0.1:{port}/hub")
        finally:
            await proxy.stop()
            await runner.cleanup()

    asyncio.run(story())


def test_https_at_its_usual_port_has_http_beside_it(tmp_path, monkeypatch):
    monkeypatch.setenv("FIRSTREAD_HOME", str(tmp_path))
    own = {key: str(path) for key, path in make(tmp_path).items() if key in ("certificate", "key")}

    def redirect_port(**options):
        return proxy_settings(ClassFolder.create("class", lesson="hello-world", **options)).redirect_port

    assert redirect_port(port=443, **own) == 80
    assert redirect_port(port=8443, **own) == 0, "port 80 belongs to port 443 only"
    assert redirect_port(port=443) == 0
