"""JupyterHub configuration, authenticator and spawner of a class on Kubernetes. Needs firstread[kubernetes].

The chart's `hub.extraConfig` calls `configure_kubernetes_hub(c)`.
"""

import os
from asyncio import Future
from pathlib import Path
from typing import Any

from kubespawner import KubeSpawner
from traitlets.config import LazyConfigValue

from firstread.classroom.class_folder import ClassFolder
from firstread.classroom.cluster.cluster_folder import open_cluster_class
from firstread.classroom.cluster.pod import LESSON_VARIABLE, RESUME_WORD_VARIABLE, SHARED_VARIABLE
from firstread.classroom.database.store import Store
from firstread.classroom.home_directory import build_server_environment
from firstread.classroom.hub.authenticator import JoinAuthenticator
from firstread.classroom.hub.configuration import configure_common
from firstread.core.errors import SettingError

#: folders and user id in a participant's pod
HOME_FOLDER, RUNTIME_FOLDER = "/home/participant", "/tmp/jupyter"  # noqa: S108 - a folder of this pod alone
POD_UID = 1000
#: writable volumes besides the home: /tmp, and the shared memory of data loaders; each with a size limit
_SCRATCH_VOLUMES = {
    "tmp": ("/tmp", {"sizeLimit": "1Gi"}),  # noqa: S108 - a folder of this pod alone
    "memory": ("/dev/shm", {"medium": "Memory", "sizeLimit": "256Mi"}),  # noqa: S108
}
_SECURITY_CONTEXT = {
    "runAsNonRoot": True,
    "runAsUser": POD_UID,
    "runAsGroup": POD_UID,
    "privileged": False,
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}


class ClusterAuthenticator(JoinAuthenticator):
    """`JoinAuthenticator` for a cluster; keeps new resume words in memory until the participant's pod has started."""

    def __init__(self, **kwargs: Any) -> None:
        self.pending_resume_words: dict[str, str] = {}
        super().__init__(**kwargs)

    def open_class(self) -> tuple[ClassFolder, Store]:
        """Open the cluster's class and its database."""
        return open_cluster_class()

    def save_resume_word(self, username: str, word: str) -> None:
        """Keep the word in memory: their volume does not exist yet, and the pod writes it there."""
        self.pending_resume_words[username] = word


class ClassKubeSpawner(KubeSpawner):
    """Starts a participant's server as a pod without privileges."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.folder, self.store = open_cluster_class()

    def get_env(self) -> dict[str, str]:
        """Environment of the pod; secrets in it are only those of every JupyterHub server, and once the resume word."""
        folder, participant = self.folder, self.store.find_participant(self.user.name)
        word = getattr(self.authenticator, "pending_resume_words", {}).get(self.user.name)
        environment = build_server_environment(
            participant, folder.settings, home=Path(HOME_FOLDER), shared=folder.path, service_url=folder.service_url
        )
        return {
            **super().get_env(),
            **environment,
            "HOME": HOME_FOLDER,
            "JUPYTER_RUNTIME_DIR": RUNTIME_FOLDER,
            LESSON_VARIABLE: folder.settings.lesson,
            SHARED_VARIABLE: str(folder.path),
            **({RESUME_WORD_VARIABLE: word} if word else {}),
        }

    def start(self) -> Future[Any]:
        """Start the pod; once it runs, the resume word is in its volume only.

        Raises:
            PermissionError: not a participant of this class.
        """
        if self.store.find_participant(self.user.name) is None:
            raise PermissionError("not a participant of this class")
        future = super().start()
        future.add_done_callback(self._discard_resume_word)
        return future

    def _discard_resume_word(self, future: Future[Any]) -> None:
        if not future.cancelled() and future.exception() is None:
            getattr(self.authenticator, "pending_resume_words", {}).pop(self.user.name, None)


def configure_kubernetes_hub(c: Any) -> None:
    """Set JupyterHub's configuration `c` after the chart, and override what its values say about permissions of pods.

    Raises:
        SettingError: the settings of the class or the hub's database are missing.
    """
    folder, _ = open_cluster_class()
    database = os.environ.get("FIRSTREAD_HUB_DATABASE")
    if not database:
        raise SettingError("The hub's database is missing", where="FIRSTREAD_HUB_DATABASE")
    configure_common(c, folder)
    c.JupyterHub.db_url = database
    c.JupyterHub.authenticator_class = ClusterAuthenticator
    c.JupyterHub.spawner_class = ClassKubeSpawner
    c.JupyterHub.allow_named_servers = False
    c.Spawner.cmd = ["python", "-m", "firstread.classroom.cluster.pod"]
    c.KubeSpawner.cmd = c.Spawner.cmd
    _restrict_pods(c.KubeSpawner)


def _restrict_pods(c: Any) -> None:
    """Restrict participants' pods: no root, no privileges, few writable volumes, no access to the Kubernetes API."""
    c.uid, c.gid, c.fs_gid = POD_UID, POD_UID, POD_UID
    c.privileged, c.allow_privilege_escalation = False, False
    c.container_security_context = _SECURITY_CONTEXT
    c.service_account, c.automount_service_account_token = None, False
    isolation = {"enableServiceLinks": False, "hostNetwork": False, "hostPID": False, "hostIPC": False}
    c.extra_pod_config = {**(c.get("extra_pod_config") or {}), **isolation}
    c.volumes = [
        *_volumes_as_list(c.get("volumes")),
        *({"name": name, "emptyDir": limit} for name, (_, limit) in _SCRATCH_VOLUMES.items()),
    ]
    c.volume_mounts = [
        *_volumes_as_list(c.get("volume_mounts")),
        *({"name": name, "mountPath": path} for name, (path, _) in _SCRATCH_VOLUMES.items()),
    ]


def _volumes_as_list(volumes: Any) -> list[Any]:
    """Volumes as a list, from a list, a dictionary by name, or a lazy config value that extends the default."""
    volumes = volumes.get_value([]) if isinstance(volumes, LazyConfigValue) else volumes
    return list(volumes.values()) if isinstance(volumes, dict) else list(volumes or [])
