"""Process of the proxy: `python -m firstread.classroom.proxy`, with the class's folder in FIRSTREAD_CLASS.

It faces strangers: as root it binds its ports, reads the private key and then gives root up. With --port and
--api-socket any JupyterHub can start it in place of configurable-http-proxy (`ConfigurableHTTPProxy.command`).
"""

import argparse
import asyncio
import logging
import os
import signal
import sys
from pathlib import Path

from firstread.classroom.class_folder import ClassFolder
from firstread.classroom.proxy import proxy_files
from firstread.classroom.proxy.proxy_server import ProxyServer, ProxySettings
from firstread.classroom.sandbox.syscalls import change_user


def proxy_settings(folder: ClassFolder) -> ProxySettings:
    """The proxy's settings of a class."""
    settings = folder.settings
    return ProxySettings(
        host=settings.host,
        port=settings.port,
        instructor_port=settings.instructor_port,
        redirect_port=80 if settings.certificate and settings.port == 443 else 0,
        certificate=settings.certificate,
        key=settings.key,
        token=folder.proxy_token,
        api_token=proxy_files.api_token(folder),
        api_socket=proxy_files.api_socket(folder),
        routes_file=proxy_files.routes_file(folder),
        domain=settings.subdomain_host,
    )


def parse_arguments(arguments: list[str]) -> ProxySettings:
    """Settings in the command line that JupyterHub makes for configurable-http-proxy; token: CONFIGPROXY_AUTH_TOKEN."""
    parser = argparse.ArgumentParser(prog="python -m firstread.classroom.proxy", allow_abbrev=False)
    parser.add_argument("--ip", default="")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--api-socket", type=Path, required=True)
    parser.add_argument("--ssl-cert", default="")
    parser.add_argument("--ssl-key", default="")
    for ignored in ("--error-target", "--log-level"):
        parser.add_argument(ignored)
    given = parser.parse_args(arguments)
    return ProxySettings(
        host=given.ip,
        port=given.port,
        certificate=given.ssl_cert,
        key=given.ssl_key,
        api_token=os.environ.get("CONFIGPROXY_AUTH_TOKEN", ""),
        api_socket=given.api_socket,
    )


async def serve(settings: ProxySettings, *, uid: int | None) -> None:
    """Serve until SIGTERM, or until the parent process has ended.

    Args:
        uid: user id that the process changes to once it listens; None keeps its own.
    """
    proxy, stopped, parent = ProxyServer(settings), asyncio.Event(), os.getppid()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    await proxy.start()
    if uid is not None:
        change_user(uid)
    logging.getLogger(__name__).info("ready")
    while not stopped.is_set() and os.getppid() == parent:
        try:
            await asyncio.wait_for(stopped.wait(), timeout=1.0)
        except TimeoutError:
            continue
    await proxy.stop()


def main() -> None:
    """Serve the class whose folder is in FIRSTREAD_CLASS, or what the command line says."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    uid = None
    if sys.argv[1:]:
        settings = parse_arguments(sys.argv[1:])
    else:
        folder = ClassFolder(Path(os.environ["FIRSTREAD_CLASS"]))
        proxy_files.prepare_proxy_folder(folder)
        settings, uid = proxy_settings(folder), proxy_files.proxy_uid(folder)
    try:
        asyncio.run(serve(settings, uid=uid))
    except OSError as error:
        raise SystemExit(f"The proxy cannot listen: {error.strerror or error}") from None


if __name__ == "__main__":
    main()
