"""A class on disk: one folder that holds everything, so that it can be started again after anything."""

import hashlib
import os
import secrets
import sys
import tempfile
from dataclasses import asdict, dataclass, fields
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from firstread.classroom.certificates import shown_host
from firstread.classroom.database.store import Store
from firstread.classroom.join_codes import new_join_code
from firstread.core.errors import DataError, SettingError
from firstread.core.files import read_json, write_json
from firstread.core.paths import home
from firstread.lessons.lesson_info import LessonInfo, find_lesson

PRIVATE = 0o700
#: users of the system from this number on belong to classes: far above those that are given out otherwise
_FIRST_USER = 1_000_000_000
#: of the classroom service in the hub; it is reached under PREFIX
SERVICE = "classroom"
PREFIX = f"/services/{SERVICE}"


@dataclass(frozen=True)
class ClassSettings:
    """What was decided when the class was made.

    Attributes:
        name: of the class.
        lesson: that it runs.
        data: of the lesson.
        host, port: where it listens.
        certificate, key: files for https; empty for http.
        database: address, empty for a file in the folder.
        join_code: what participants type.
        instructor_key: what the instructor types; secret.
        class_key: with which resume words are found; secret.
        seed: of the randomisation.
    """

    name: str
    lesson: str
    data: str
    host: str
    port: int
    certificate: str
    key: str
    database: str
    join_code: str
    instructor_key: str
    class_key: str
    seed: int


class ClassFolder:
    """A class's folder.

    Attributes:
        proxies: how many of ours stand between a browser and the service; each adds where a request came from.
    """

    proxies = 1

    def __init__(self, path: Path) -> None:
        self.path = path
        file = path / "class.json"
        if not file.exists():
            raise DataError(
                "There is no class here", where=path, do="start one: firstread class start --lesson hello-world"
            )
        values = read_json(file)
        known = {field.name for field in fields(ClassSettings)}
        if set(values) != known:
            raise DataError("The class was made by another version of firstread", where=file)
        self.settings = ClassSettings(**values)

    @classmethod
    def make(
        cls, name: str, *, lesson: str, data: str | None = None, host: str = "127.0.0.1", port: int = 8000, **more: str
    ) -> "ClassFolder":
        """A new class, or the one of this name, with the address as given now.

        Raises:
            SettingError: no such lesson, or a name that no folder can have.
        """
        if not name or not all(letter.isalnum() or letter in "-_" for letter in name):
            raise SettingError(f'A class cannot be called "{name}"', expected="letters, digits, - and _")
        info = find_lesson(lesson)
        path = classes_folder() / name
        before = os.umask(0o077)
        try:
            path.mkdir(parents=True, exist_ok=True)
            path.chmod(PRIVATE)
            kept: dict[str, Any] = read_json(path / "class.json") if (path / "class.json").exists() else {}
            new = {
                "name": name, "lesson": info.name, "data": data or info.values["data"], "host": host, "port": port,
                "certificate": more.get("certificate", ""), "key": more.get("key", ""), "database": more.get("database", ""),
                **(drawn := new_secrets()),
            }  # fmt: skip
            if kept and kept.get("lesson") != info.name:
                raise SettingError(
                    f'The class "{name}" is of the lesson {kept.get("lesson")}', do="choose another name with --name"
                )
            write_json(path / "class.json", new | {key: kept[key] for key in drawn if key in kept})
            (path / "class.json").chmod(0o600)
            for part in ("hub", "homes", "log"):
                (path / part).mkdir(exist_ok=True)
        finally:
            os.umask(before)
        return cls(path)

    @cached_property
    def lesson(self) -> LessonInfo:
        """The lesson of this class."""
        return find_lesson(self.settings.lesson)

    @property
    def scheme(self) -> str:
        """How participants' browsers speak to the class: "https" or "http"."""
        return "https" if self.settings.certificate else "http"

    @property
    def address(self) -> str:
        """Where participants go."""
        port, host = self.settings.port, shown_host(self.settings.host, self.settings.certificate)
        host = f"[{host}]" if ":" in host else host
        usual = port == {"https": 443, "http": 80}[self.scheme]
        return f"{self.scheme}://{host}/" if usual else f"{self.scheme}://{host}:{port}/"

    @property
    def dashboard(self) -> str:
        """Where the instructor goes."""
        return f"{self.address.rstrip('/')}{PREFIX}/"

    @property
    def ports(self) -> dict[str, int]:
        """Where hub and service listen on this machine only; chosen once, so that whatever starts again is found again."""
        file = self.path / "hub" / "ports.json"
        if not file.exists():
            write_json(file, dict(zip(("hub", "service"), free_ports(2), strict=True)))
        return read_json(file)

    @property
    def service_address(self) -> str:
        """The classroom service, from this machine."""
        return f"http://127.0.0.1:{self.ports['service']}{PREFIX}/"

    def store(self) -> Store:
        """The class's memory."""
        url = self.settings.database or f"sqlite:///{self.path / 'class.sqlite'}"
        return Store(
            url,
            key=bytes.fromhex(self.settings.class_key),
            experiments=self.lesson.values.get("arms", {}),
            seed=self.settings.seed,
        )

    def home_of(self, username: str) -> Path:
        """A participant's own folder."""
        return self.path / "homes" / username

    def make_home(self, username: str) -> Path:
        """A participant's own folder, theirs alone, and the folder of their sockets; what is in them stays."""
        home = self.home_of(username)
        home.mkdir(mode=PRIVATE, parents=True, exist_ok=True)
        user = self.user_of(username)
        for place in (home, self.sockets_of(username)):
            if user is not None and place.lstat().st_uid != user:
                for one in (place, *place.rglob("*")):
                    os.chown(one, user, user, follow_symlinks=False)
        return home

    def user_of(self, username: str) -> int | None:
        """The number of the system's user that a participant's processes run as, known to nobody else; None if they run as whoever starts the class."""
        number = username.removeprefix("p").split("-")[0]
        if sys.platform != "linux" or os.geteuid() != 0 or not number.isdigit():
            return None
        return _FIRST_USER + self.settings.seed % 100_000 * 10_000 + int(number) % 10_000

    @property
    def pid_file(self) -> Path:
        """Which process keeps the class up, and since when."""
        return self.path / "hub" / "pid"

    @property
    def sockets(self) -> Path:
        """Where processes of this class talk to one another. The name of a socket must be short, so it lies among the temporary files.

        Raises:
            DataError: somebody else made this folder before.
        """
        short = hashlib.sha256(str(self.path.resolve()).encode()).hexdigest()[:10]
        folder = Path(tempfile.gettempdir()) / f"firstread-{short}"
        folder.mkdir(mode=PRIVATE, exist_ok=True)
        found = folder.lstat()
        if folder.is_symlink() or found.st_uid != os.geteuid() or found.st_mode & 0o066:
            raise DataError(
                "This folder is not this class's own", where=folder, do="remove it and start the class again"
            )
        folder.chmod(0o711)  # its folders can be entered by those whom they belong to
        return folder

    def sockets_of(self, username: str) -> Path:
        """Where a participant's kernels are talked to."""
        folder = self.sockets / username
        folder.mkdir(mode=PRIVATE, exist_ok=True)
        return folder

    def plain(self) -> dict[str, Any]:
        """The settings without secrets."""
        hidden = ("instructor_key", "class_key", "seed", "database")
        return {name: value for name, value in asdict(self.settings).items() if name not in hidden}


def new_secrets() -> dict[str, Any]:
    """What is drawn once for a class: see `ClassSettings`."""
    return {
        "join_code": new_join_code(),
        "instructor_key": secrets.token_urlsafe(12),
        "class_key": secrets.token_hex(32),
        "seed": secrets.randbelow(2**31),
    }


@cache
def open_class(path: str) -> tuple[ClassFolder, Store]:
    """A class and its memory, opened once in a process."""
    folder = ClassFolder(Path(path))
    return folder, folder.store()


def classes_folder() -> Path:
    """Where classes lie."""
    return home() / "classes"


def free_ports(count: int) -> list[int]:
    """So many different ones; all are held until the last is found."""
    import socket
    from contextlib import ExitStack

    with ExitStack() as held:
        found = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in found:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in found]
