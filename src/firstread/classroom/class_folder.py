"""Folder of a class on disk: settings, secrets, ports, homes and database, so that a class can be restarted."""

import hashlib
import hmac
import os
import secrets
import sys
import tempfile
from dataclasses import MISSING, asdict, dataclass, fields
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from firstread.classroom.database.store import DEFAULT_MAX_PARTICIPANTS, Store
from firstread.classroom.join_codes import generate_join_code
from firstread.classroom.network_address import check_subdomain_host
from firstread.classroom.tls_certificates import public_host
from firstread.core.errors import DataError, SettingError
from firstread.core.files import read_json, write_json
from firstread.core.paths import home_folder
from firstread.lessons.lesson_info import LessonInfo, find_lesson

PRIVATE_MODE = 0o700
#: user ids of participants start here: far above those that Linux distributions assign
_FIRST_UID = 1_000_000_000
#: name of the classroom service in JupyterHub, and the URL path that it is served under
SERVICE_NAME = "classroom"
SERVICE_PREFIX = f"/services/{SERVICE_NAME}"
#: participants' own pages of the service; everything else under SERVICE_PREFIX is the instructor's
PERSONAL_PREFIX = f"{SERVICE_PREFIX}/me"
#: a socket's path has at most 107 bytes, of which a participant's name and a kernel's id take 65
_MAX_SOCKETS_FOLDER_BYTES = 42
DEFAULT_PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True)
class ClassSettings:
    """Settings of a class, stored as class.json.

    Attributes:
        name: of the class.
        lesson: name of its lesson.
        data: data set of the lesson.
        host, port: where it listens for participants.
        instructor_port: where it listens for the instructor: another origin, which no participant's server is part of.
        certificate, key: PEM files for https; empty for http.
        database: URL; empty for an SQLite file in the folder.
        join_code: that participants type to join.
        instructor_key: that the instructor types to log in; secret.
        class_key: of the HMACs of resume words and requests; secret.
        seed: of the randomization.
        subdomain_host: name of the class whose subdomains lead to this machine as well, one for each participant's
            server; empty where all share one host.
        max_participants: how many may join.
    """

    name: str
    lesson: str
    data: str
    host: str
    port: int
    instructor_port: int
    certificate: str
    key: str
    database: str
    join_code: str
    instructor_key: str
    class_key: str
    seed: int
    subdomain_host: str = ""
    max_participants: int = DEFAULT_MAX_PARTICIPANTS


class ClassFolder:
    """Folder of a class.

    Attributes:
        proxy_count: number of trusted proxies between a browser and the service; each appends to X-Forwarded-For.
        shares_machine: participants' kernels run on one machine, so that their trainings queue for it.
    """

    proxy_count, shares_machine = 1, True

    def __init__(self, path: Path) -> None:
        self.path = path
        file = path / "class.json"
        if not file.exists():
            raise DataError(
                "There is no class here", where=path, do="start one: firstread class start --lesson hello-world"
            )
        values = read_json(file)
        known = {field.name: field.default is MISSING for field in fields(ClassSettings)}
        if not {name for name, is_required in known.items() if is_required} <= set(values) <= set(known):
            raise DataError("The class was made by another version of firstread", where=file)
        self.settings = ClassSettings(**values)

    @classmethod
    def create(
        cls,
        name: str,
        *,
        lesson: str,
        data: str | None = None,
        host: str = "127.0.0.1",
        port: int = 8000,
        instructor_port: int = 0,
        **options: str | int,
    ) -> "ClassFolder":
        """Create a class, or open the one of this name, with the address as given now.

        Args:
            instructor_port: 0 for the next one above `port`; beside 443 and 80 it is 8443 and 8080.

        Raises:
            SettingError: no such lesson, an invalid name of the class or for subdomains, or one port for both.
        """
        if not name or not all(letter.isalnum() or letter in "-_" for letter in name):
            raise SettingError(f'A class cannot be called "{name}"', expected="letters, digits, - and _")
        instructor_port = instructor_port or default_instructor_port(port)
        if instructor_port == port:
            raise SettingError(
                f"Port {port} cannot be both the participants' and the instructor's",
                do="give --instructor-port another",
            )
        check_subdomain_host(str(options.get("subdomain_host", "")))
        info = find_lesson(lesson)
        path = classes_folder() / name
        old_umask = os.umask(0o077)
        try:
            path.mkdir(parents=True, exist_ok=True)
            path.chmod(PRIVATE_MODE)
            file = path / "class.json"
            existing: dict[str, Any] = read_json(file) if file.exists() else {}
            secret_values = generate_secrets()
            settings = {"name": name, "lesson": info.name, "data": data or info.values["data"]}
            settings |= {"host": host, "port": port, "instructor_port": instructor_port}
            settings |= {
                option: options.get(option, "") for option in ("certificate", "key", "database", "subdomain_host")
            }
            settings["max_participants"] = options.get("max_participants", DEFAULT_MAX_PARTICIPANTS)
            if existing and existing.get("lesson") != info.name:
                raise SettingError(
                    f'The class "{name}" is of the lesson {existing.get("lesson")}',
                    do="choose another name with --name",
                )
            existing_secrets = {key: existing[key] for key in secret_values if key in existing}
            write_json(file, settings | secret_values | existing_secrets)
            file.chmod(0o600)
            for subfolder in ("hub", "homes", "log"):
                (path / subfolder).mkdir(exist_ok=True)
        finally:
            os.umask(old_umask)
        return cls(path)

    @cached_property
    def lesson(self) -> LessonInfo:
        """The lesson of this class."""
        return find_lesson(self.settings.lesson)

    @property
    def scheme(self) -> str:
        """URL scheme of the class: "https" or "http"."""
        return "https" if self.settings.certificate else "http"

    @property
    def public_url(self) -> str:
        """URL that participants open."""
        return self._url_of(self.settings.port)

    @property
    def dashboard_url(self) -> str:
        """URL of the instructor's dashboard."""
        return f"{self._url_of(self.settings.instructor_port).rstrip('/')}{SERVICE_PREFIX}/"

    def _url_of(self, port: int) -> str:
        host = self.settings.subdomain_host or public_host(self.settings.host, self.settings.certificate)
        host = f"[{host}]" if ":" in host else host
        is_default_port = port == DEFAULT_PORTS[self.scheme]
        return f"{self.scheme}://{host}/" if is_default_port else f"{self.scheme}://{host}:{port}/"

    @property
    def ports(self) -> dict[str, int]:
        """Local ports of the hub and the service, chosen once, so that they stay the same after a restart."""
        file = self.path / "hub" / "ports.json"
        if not file.exists():
            write_json(file, dict(zip(("hub", "service"), find_free_ports(2), strict=True)))
        return read_json(file)

    @property
    def service_url(self) -> str:
        """URL of the classroom service, from this machine."""
        return f"http://127.0.0.1:{self.ports['service']}{SERVICE_PREFIX}/"

    def store(self) -> Store:
        """Open the class database."""
        url = self.settings.database or f"sqlite:///{self.path / 'class.sqlite'}"
        return Store(
            url,
            key=bytes.fromhex(self.settings.class_key),
            experiments=self.lesson.values.get("arms", {}),
            seed=self.settings.seed,
            max_participants=self.settings.max_participants,
        )

    def home_of(self, username: str) -> Path:
        """Home folder of a participant."""
        return self.path / "homes" / username

    def ensure_home(self, username: str) -> Path:
        """Create a participant's home and sockets folder if needed, owned by their user; existing files stay."""
        home = self.home_of(username)
        home.mkdir(mode=PRIVATE_MODE, parents=True, exist_ok=True)
        uid = self.uid_of(username)
        for folder in (home, self.sockets_folder_of(username)):
            if uid is not None and folder.lstat().st_uid != uid:
                for path in (folder, *folder.rglob("*")):
                    os.chown(path, uid, uid, follow_symlinks=False)
        return home

    def uid_of(self, username: str) -> int | None:
        """User id of a participant's processes (no account); None if they run as the user who starts the class."""
        number = username.removeprefix("p").split("-")[0]
        if sys.platform != "linux" or os.geteuid() != 0 or not number.isdigit():
            return None
        return _FIRST_UID + self.settings.seed % 100_000 * 10_000 + int(number) % 10_000

    @property
    def proxy_token(self) -> str:
        """Token by which the hub and the service know that a request came through the class's own proxy."""
        key = bytes.fromhex(self.settings.class_key)
        return hmac.new(key, b"proxy", hashlib.sha256).hexdigest()

    @property
    def cgroup_name(self) -> str:
        """Name of the class's cgroup, unique on this machine."""
        return self.sockets_folder.name

    @property
    def pid_file(self) -> Path:
        """File with the process id and start time of the class's supervisor."""
        return self.path / "hub" / "pid"

    @property
    def sockets_folder(self) -> Path:
        """Folder of the class's Unix sockets, among the temporary files because a socket's path must be short.

        Raises:
            DataError: the folder exists and belongs to another user.
        """
        digest = hashlib.sha256(str(self.path.resolve()).encode()).hexdigest()[:10]
        folder = Path(tempfile.gettempdir()) / f"firstread-{digest}"
        if len(os.fsencode(folder)) > _MAX_SOCKETS_FOLDER_BYTES:
            folder = Path("/tmp") / folder.name  # noqa: S108 - its owner and mode are checked below
        folder.mkdir(mode=PRIVATE_MODE, exist_ok=True)
        status = folder.lstat()
        if folder.is_symlink() or status.st_uid != os.geteuid() or status.st_mode & 0o066:
            raise DataError(
                "This folder is not this class's own", where=folder, do="remove it and start the class again"
            )
        folder.chmod(0o711)  # participants enter their own subfolders
        return folder

    def sockets_folder_of(self, username: str) -> Path:
        """Folder of the sockets of a participant's kernels."""
        folder = self.sockets_folder / username
        folder.mkdir(mode=PRIVATE_MODE, exist_ok=True)
        return folder

    @property
    def queue_socket(self) -> Path:
        """Unix socket of the training queue's broker; its folder is made, and can be entered by every participant."""
        folder = self.sockets_folder / "queue"
        folder.mkdir(exist_ok=True)
        folder.chmod(0o711)
        return folder / "socket"

    def public_settings(self) -> dict[str, Any]:
        """The settings without secrets."""
        hidden = ("instructor_key", "class_key", "seed", "database")
        return {name: value for name, value in asdict(self.settings).items() if name not in hidden}


def default_instructor_port(port: int) -> int:
    """Port of the instructor's origin beside the participants' port."""
    usual = {443: 8443, 80: 8080}
    return usual.get(port, port + 1 if port < 65535 else port - 1)


def generate_secrets() -> dict[str, Any]:
    """Draw the secrets of a new class: see `ClassSettings`."""
    return {
        "join_code": generate_join_code(),
        "instructor_key": secrets.token_urlsafe(12),
        "class_key": secrets.token_hex(32),
        "seed": secrets.randbelow(2**31),
    }


@cache
def open_class(path: str) -> tuple[ClassFolder, Store]:
    """Open a class and its database, once in a process."""
    folder = ClassFolder(Path(path))
    return folder, folder.store()


def classes_folder() -> Path:
    """Folder of all classes of this user."""
    return home_folder() / "classes"


def find_free_ports(count: int) -> list[int]:
    """Find `count` different free TCP ports; all stay bound until the last is found."""
    import socket
    from contextlib import ExitStack

    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for bound in sockets:
            bound.bind(("127.0.0.1", 0))
        return [bound.getsockname()[1] for bound in sockets]
