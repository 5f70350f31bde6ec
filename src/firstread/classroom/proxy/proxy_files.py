"""Files, user and token of a class's proxy: what its process, the supervisor and the hub must agree on."""

import hashlib
import hmac
import os
from pathlib import Path

from firstread.classroom.class_folder import PRIVATE_MODE, ClassFolder


def proxy_folder(folder: ClassFolder) -> Path:
    """Folder of the proxy's own files, which its user owns and no participant can enter."""
    return folder.sockets_folder / "proxy"


def api_socket(folder: ClassFolder) -> Path:
    """Unix socket of the API of the proxy's routes."""
    return proxy_folder(folder) / "api"


def routes_file(folder: ClassFolder) -> Path:
    """File of the proxy's routes, while the class runs."""
    return proxy_folder(folder) / "routes.json"


def api_token(folder: ClassFolder) -> str:
    """Token of the API of the proxy's routes; the hub has it, and no participant's process."""
    key = bytes.fromhex(folder.settings.class_key)
    return hmac.new(key, b"proxy routes", hashlib.sha256).hexdigest()


def proxy_uid(folder: ClassFolder) -> int | None:
    """User id that the proxy changes to; None if it runs as the user who starts the class."""
    return folder.uid_of("p0")  # the first participant is p1


def prepare_proxy_folder(folder: ClassFolder) -> None:
    """Create the proxy's folder if needed, owned by the proxy's user."""
    path, uid = proxy_folder(folder), proxy_uid(folder)
    path.mkdir(mode=PRIVATE_MODE, exist_ok=True)
    if uid is not None:
        os.chown(path, uid, uid)
