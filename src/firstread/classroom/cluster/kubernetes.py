"""The hub's side of a class on Kubernetes: `configure(c)` is what the chart's `hub.extraConfig` calls. Needs firstread[kubernetes]."""

import os
from asyncio import Future
from pathlib import Path
from typing import Any

from kubespawner import KubeSpawner
from traitlets.config import LazyConfigValue

from firstread.classroom.class_folder import ClassFolder
from firstread.classroom.cluster.cluster_folder import open_cluster_class
from firstread.classroom.cluster.pod import LESSON, SHARED, WORD
from firstread.classroom.database.store import Store
from firstread.classroom.home_directory import environment_of
from firstread.classroom.hub.authenticator import JoinAuthenticator
from firstread.classroom.hub.configuration import configure_anywhere
from firstread.classroom.rate_limits import sender
from firstread.core.errors import SettingError

#: in a participant's pod
HOME, RUNTIME = "/home/participant", "/tmp/jupyter"  # noqa: S108 - a folder of this pod alone
USER = 1000
#: nothing may be written but the home, /tmp and the memory that data loaders share; each with its limit
_SCRATCH = {"tmp": ("/tmp", {"sizeLimit": "1Gi"}), "memory": ("/dev/shm", {"medium": "Memory", "sizeLimit": "256Mi"})}  # noqa: S108
_SECURITY = {
    "runAsNonRoot": True, "runAsUser": USER, "runAsGroup": USER, "privileged": False, "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}, "seccompProfile": {"type": "RuntimeDefault"},
}  # fmt: skip


class ClusterAuthenticator(JoinAuthenticator):
    """Lets people in as on one machine; a resume word waits here until their pod takes it."""

    def __init__(self, **arguments: Any) -> None:
        self.waiting_words: dict[str, str] = {}
        super().__init__(**arguments)

    def open_class(self) -> tuple[ClassFolder, Store]:
        """The cluster's class and its memory."""
        return open_cluster_class()

    def address_of(self, request: Any) -> str:
        """What the ingress saw; the hub's own sight ends at the ingress, and one guesser would lock out everybody."""
        return sender(request.headers.get("X-Forwarded-For", ""), proxies=self.folder.proxies)

    def keep_word(self, username: str, word: str) -> None:
        """Their volume is not there yet; the pod puts it beside the notebook."""
        self.waiting_words[username] = word


class ClassKubeSpawner(KubeSpawner):
    """Starts a participant's server as a pod that may do nothing beyond its home."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.folder, self.store = open_cluster_class()

    def get_env(self) -> dict[str, str]:
        """The pod's environment; nothing secret in it but what the hub puts into every server's, and once the resume word."""
        folder, person = self.folder, self.store.person(self.user.name)
        word = getattr(self.authenticator, "waiting_words", {}).get(self.user.name)
        told = environment_of(
            person, folder.settings, home=Path(HOME), shared=folder.path, service=folder.service_address
        )
        return {
            **super().get_env(),
            **told,
            "HOME": HOME,
            "JUPYTER_RUNTIME_DIR": RUNTIME,
            LESSON: folder.settings.lesson,
            SHARED: str(folder.path),
            **({WORD: word} if word else {}),
        }

    def start(self) -> Future[Any]:
        """Start the pod; once it runs, the word lies in the volume and nowhere else.

        Raises:
            PermissionError: not a participant of this class.
        """
        if self.store.person(self.user.name) is None:
            raise PermissionError("not a participant of this class")
        started = super().start()
        started.add_done_callback(self._forget_word)
        return started

    def _forget_word(self, started: Future[Any]) -> None:
        if not started.cancelled() and started.exception() is None:
            getattr(self.authenticator, "waiting_words", {}).pop(self.user.name, None)


def configure(c: Any) -> None:
    """Fill the hub's configuration after the chart has: who comes in, what a pod runs, and what it may do, whatever the values say.

    Raises:
        SettingError: the settings of the class or the hub's database are missing.
    """
    folder, _ = open_cluster_class()
    database = os.environ.get("FIRSTREAD_HUB_DATABASE")
    if not database:
        raise SettingError("The hub's database is missing", where="FIRSTREAD_HUB_DATABASE")
    configure_anywhere(c, folder)
    c.JupyterHub.db_url = database
    c.JupyterHub.authenticator_class = ClusterAuthenticator
    c.JupyterHub.spawner_class = ClassKubeSpawner
    c.JupyterHub.allow_named_servers = False
    c.Spawner.cmd = ["python", "-m", "firstread.classroom.cluster.pod"]
    c.KubeSpawner.cmd = c.Spawner.cmd
    _confine(c.KubeSpawner)


def _confine(c: Any) -> None:
    """No root, no rights to gain, nothing to write to but what is named, and no word with Kubernetes itself."""
    c.uid, c.gid, c.fs_gid = USER, USER, USER
    c.privileged, c.allow_privilege_escalation = False, False
    c.container_security_context = _SECURITY
    c.service_account, c.automount_service_account_token = None, False
    c.extra_pod_config = {**(c.get("extra_pod_config") or {}), "enableServiceLinks": False, "hostNetwork": False,
                          "hostPID": False, "hostIPC": False}  # fmt: skip
    c.volumes = [
        *_plain(c.get("volumes")),
        *({"name": name, "emptyDir": limit} for name, (_, limit) in _SCRATCH.items()),
    ]
    c.volume_mounts = [
        *_plain(c.get("volume_mounts")),
        *({"name": name, "mountPath": path} for name, (path, _) in _SCRATCH.items()),
    ]


def _plain(given: Any) -> list[Any]:
    """Volumes as a list: charts and people write lists, dictionaries by name, or only add to what was there."""
    given = given.get_value([]) if isinstance(given, LazyConfigValue) else given
    return list(given.values()) if isinstance(given, dict) else list(given or [])
