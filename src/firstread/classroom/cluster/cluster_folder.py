"""Folder of a class on Kubernetes: settings from a Secret, shared files from the image, database in PostgreSQL."""

import os
from functools import cache
from pathlib import Path

from firstread.classroom.class_folder import SERVICE_PREFIX, ClassFolder
from firstread.classroom.database.store import Store
from firstread.core.errors import SettingError

#: shared files in the container image: the lesson's notebook, its kernel and its data
SHARED_FOLDER = Path("/opt/firstread/class")
#: name of the Secret; host name and port of the classroom service in the cluster
SECRET_NAME, SERVICE_HOST, SERVICE_PORT = "firstread-class", "classroom", 8008
#: the ingress, and the chart's proxy behind it
DEFAULT_PROXY_COUNT = 2


class ClusterFolder(ClassFolder):
    """Folder of a class whose settings are a mounted Secret, read-only, and whose shared files are in the image.

    Args:
        path: folder with class.json.
        shared: folder of the shared files.
    """

    shares_machine = False  # each pod has processors and a queue of its own

    def __init__(self, path: Path, *, shared: Path | None = None) -> None:
        super().__init__(path)
        self.path = shared or Path(os.environ.get("FIRSTREAD_SHARED", SHARED_FOLDER))
        self.proxy_count = int(os.environ.get("FIRSTREAD_PROXIES", DEFAULT_PROXY_COUNT))
        if not self.settings.database:
            raise SettingError(
                "A class on several machines needs a database",
                where=path / "class.json",
                expected="database: postgresql+psycopg://...",
            )

    @property
    def proxy_token(self) -> str:
        """Empty: the proxies of a cluster are not ours, and a pod may claim any address when it asks the hub."""
        return ""

    @property
    def scheme(self) -> str:
        """Always "https": the ingress terminates TLS."""
        return "https"

    @property
    def service_url(self) -> str:
        """URL of the classroom service, from a participant's pod."""
        return f"http://{SERVICE_HOST}:{SERVICE_PORT}{SERVICE_PREFIX}/"


def find_cluster_class() -> ClusterFolder | None:
    """The class whose settings folder is in FIRSTREAD_CLUSTER; None on a single machine."""
    folder = os.environ.get("FIRSTREAD_CLUSTER")
    return ClusterFolder(Path(folder)) if folder else None


@cache
def open_cluster_class() -> tuple[ClusterFolder, Store]:
    """Open the cluster's class and its database, once in a process."""
    folder = find_cluster_class()
    if folder is None:
        raise SettingError(
            "The class's settings are missing", where="FIRSTREAD_CLUSTER", expected="a folder with class.json"
        )
    store = folder.store()
    store.create()
    return folder, store
