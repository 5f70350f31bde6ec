"""A class on several machines: its settings come from a Secret, what participants share from the image, what it remembers lies in PostgreSQL.

`python -m firstread.classroom.cluster.cluster_folder prepare` fills an image, `... secret` draws what is secret, `... serve` is the classroom service. The hub's side
is `kubernetes.py`, the participant's `pod.py`.
"""

import os
from functools import cache
from pathlib import Path

from firstread.classroom.class_folder import PREFIX, ClassFolder
from firstread.classroom.database.store import Store
from firstread.core.errors import SettingError

#: in the image: the lesson's notebook, its kernel and its data
SHARED = Path("/opt/firstread/class")
#: of the Secret, of the service in front of the classroom's pod, and of the port there
NAME, HOST, PORT = "firstread-class", "classroom", 8008
#: the chart's proxy, and the ingress before it
PROXIES = 2


class ClusterFolder(ClassFolder):
    """A class whose settings lie in one read-only folder, a mounted Secret, and the rest in the image.

    Args:
        path: the folder with class.json.
        shared: what participants share.
    """

    def __init__(self, path: Path, *, shared: Path | None = None) -> None:
        super().__init__(path)
        self.path = shared or Path(os.environ.get("FIRSTREAD_SHARED", SHARED))
        self.proxies = int(os.environ.get("FIRSTREAD_PROXIES", PROXIES))
        if not self.settings.database:
            raise SettingError("A class on several machines needs a database", where=path / "class.json",
                               expected="database: postgresql+psycopg://...")  # fmt: skip

    @property
    def scheme(self) -> str:
        """The ingress speaks https."""
        return "https"

    @property
    def service_address(self) -> str:
        """The classroom service, from a participant's pod."""
        return f"http://{HOST}:{PORT}{PREFIX}/"


def cluster_class() -> ClusterFolder | None:
    """The class whose settings lie in the folder that FIRSTREAD_CLUSTER names; None on a single machine."""
    place = os.environ.get("FIRSTREAD_CLUSTER")
    return ClusterFolder(Path(place)) if place else None


@cache
def open_cluster_class() -> tuple[ClusterFolder, Store]:
    """The cluster's class and its memory, opened once in a process."""
    folder = cluster_class()
    if folder is None:
        raise SettingError(
            "The class's settings are missing", where="FIRSTREAD_CLUSTER", expected="a folder with class.json"
        )
    store = folder.store()
    store.create()
    return folder, store
