"""What is imported before the fork, and what the forked process does to become a participant's server or kernel."""

import fcntl
import importlib
import inspect
import os
import pkgutil
import random
import select
import signal
import socket
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

from firstread.classroom.class_folder import ClassFolder
from firstread.classroom.home_directory import prepare_home
from firstread.classroom.sandbox.disk_quota import LITTLE_BYTES, over_share
from firstread.classroom.sandbox.sandbox import LARGEST_FILE_BYTES, Fence, python_folders

# modules, not their use: nothing here may open a socket, start a thread or an event loop
_OF_SERVER = (
    "jupyter_server.serverapp", "jupyter_server.services.contents.manager", "jupyter_server.services.contents.largefilemanager",
    "jupyter_server.services.kernels.kernelmanager", "jupyter_server.services.sessions.sessionmanager", "jupyterlab.labapp", "jupyterlab_server",
    "jupyter_client.asynchronous", "jupyter_client.provisioning", "nbformat", "nbconvert.exporters", "tornado.httpserver", "tornado.curl_httpclient",
    "jinja2", "psutil", "jupyterhub.services.auth", "jupyterhub.utils", "jupyterhub.log", "jupyterlab.serverextension", "notebook_shim",
    "jupyter_server.extension.serverextension", "jupyter_server.services.events.handlers", "IPython.core.interactiveshell", "firstread.classroom.participant.event_uploader", "firstread.classroom.prefork.kernel_provisioner",
)  # fmt: skip
_OF_KERNEL = (
    "ipykernel.kernelapp", "ipykernel.inprocess", "IPython.core.completer", "jedi", "matplotlib.pyplot", "matplotlib_inline.backend_inline",
    "matplotlib.backends.backend_agg", "pandas", "pyarrow.parquet", "scipy.stats", "sklearn.linear_model", "sklearn.metrics", "sklearn.neighbors",
    "PIL.Image", "PIL.PngImagePlugin", "PIL.JpegImagePlugin", "pydicom", "tqdm.auto", "ipywidgets", "torch", "torch._dynamo", "torchvision", "timm",
    "monai", "monai.visualize", "accelerate", "safetensors.torch",
)  # fmt: skip
#: less for data than this participant's kernel would need for lesson 1 with the largest network
KERNEL_BYTES, SERVER_BYTES = 6 * 2**30, 2 * 2**30
_F_SETSIG = 10


def prepare(kind: str, folder: ClassFolder, *, with_lesson: bool) -> None:
    """Import what every process of this kind will need; for kernels, go through the lesson once if there is time."""
    for name in _OF_SERVER if kind == "server" else (*_OF_KERNEL, *_own_modules()):
        with suppress(ImportError):  # a part that is not installed is imported by whoever needs it, and missed then
            importlib.import_module(name)
    if kind == "kernel":
        sys.modules["debugpy"] = None  # type: ignore[assignment] - classes have no debugger, and it is large
        importlib.import_module("ipykernel.debugger")
        import matplotlib as mpl
        from tqdm import tqdm

        from firstread.lessons.warmup import warm_up

        mpl.use("agg")
        tqdm.monitor_interval = 0  # it would be a thread
        os.environ["FIRSTREAD_HOME"] = str(folder.path)
        try:
            if with_lesson:
                warm_up(folder.lesson, data=folder.settings.data)
        except Exception as error:  # its message could hold what stands in somebody's data
            sys.stderr.write(f"The lesson could not be gone through beforehand: {type(error).__name__}\n")


def become(folder: ClassFolder, kind: str, request: dict[str, Any], *, lifeline: int | None, keeper: int) -> None:
    """Shut in, and be a server or a kernel until the end."""
    username = request["username"]
    home = folder.home_of(username)
    os.setsid()
    log = home / ".firstread" / f"{kind}.log"
    fence(folder, kind, username, port=request["port"]).enter()
    prepare_home(folder, username)
    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(home)
    _no_terminal(log)
    _reseed()
    if lifeline is not None:
        _end_with(lifeline)
    if kind == "server":
        threading.Thread(target=_end_with_process, args=(keeper,), daemon=True).start()
    signal.set_wakeup_fd(-1)
    if kind == "server":
        from jupyterhub.singleuser import main
        from jupyterlab.commands import get_user_settings_dir, get_workspaces_dir

        # JupyterLab has chosen them when it was imported, in the home of whoever started the class
        own = [
            f"--LabApp.workspaces_dir={get_workspaces_dir()}",
            f"--LabApp.user_settings_dir={get_user_settings_dir()}",
        ]
        sys.argv = ["jupyterhub-singleuser", *request["arguments"], *own]
        main()
    else:
        import ipykernel.ipkernel
        from ipykernel.kernelapp import IPKernelApp

        # both ask each of thousands of modules for its file, one for a debugger that classes do not have, the other for the module of a frame that an
        # error went through; that would copy tens of megabytes
        ipykernel.ipkernel.sys = _WithoutModules()
        inspect.getmodule = _module_of
        sys.path.insert(0, "")
        sys.argv = ["ipykernel_launcher", *request["arguments"]]
        IPKernelApp.launch_instance(request["arguments"])


def fence(folder: ClassFolder, kind: str, username: str, *, port: int = 0) -> Fence:
    """What a participant's server or kernel may do."""
    shared = [folder.path / name for name in ("data", "template.ipynb", "jupyter")]
    shared += [folder.lesson.folder.parent, *python_folders()]
    if Path(folder.settings.data).is_absolute():
        shared.append(Path(folder.settings.data))
    own = (folder.home_of(username), folder.sockets_of(username))
    user = folder.user_of(username)
    if kind == "server":
        return Fence(
            read=(*shared, folder.sockets / "warm"), write=own, bind=(port,), connect=tuple(folder.ports.values()), user=user,
            memory_bytes=SERVER_BYTES, sacrifice=300,
        )  # fmt: skip
    return Fence(
        read=tuple(shared), write=(*own, folder.path / "queue"), network=False, user=user, memory_bytes=KERNEL_BYTES,
        file_bytes=LITTLE_BYTES if over_share(folder, username) else LARGEST_FILE_BYTES, keen=15, sacrifice=700,
    )  # fmt: skip


def _own_modules() -> list[str]:
    """All of firstread that a lesson may use."""
    import firstread

    found = pkgutil.walk_packages(firstread.__path__, "firstread.", onerror=lambda _: None)
    return [
        module.name
        for module in found
        if not module.name.startswith(("firstread.classroom", "firstread.cli", "firstread.__main__"))
    ]


class _WithoutModules:
    """Python's `sys`, as far as it goes, without what was imported."""

    modules: ClassVar[dict[str, Any]] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(sys, name)


_any_module_of = inspect.getmodule


def _module_of(thing: Any, _filename: str | None = None) -> Any:
    """As `inspect.getmodule`; a frame says itself which module it belongs to."""
    if inspect.isframe(thing):
        return sys.modules.get(thing.f_globals.get("__name__", ""))
    return _any_module_of(thing, _filename)


def _no_terminal(log: Path) -> None:
    """Nothing to read; what is printed before a notebook listens goes into the participant's own log."""
    log.unlink(missing_ok=True)
    nothing, written = (
        os.open(os.devnull, os.O_RDONLY),
        os.open(log, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600),
    )
    for source, target in ((nothing, 0), (written, 1), (written, 2)):
        os.dup2(source, target)
    os.close(nothing)
    os.close(written)


def _reseed() -> None:
    """Siblings must not draw the same numbers."""
    random.seed()
    with suppress(ImportError, AttributeError):
        sys.modules["numpy"].random.seed()
    if "torch" in sys.modules:
        sys.modules["torch"].default_generator.seed()


def _end_with(lifeline: int) -> None:
    """The system itself ends this process, and all that it starts, as soon as the other end of the lifeline is closed."""
    fcntl.fcntl(lifeline, _F_SETSIG, signal.SIGKILL)
    fcntl.fcntl(lifeline, fcntl.F_SETOWN, -os.getpgrp())
    fcntl.fcntl(lifeline, fcntl.F_SETFL, fcntl.fcntl(lifeline, fcntl.F_GETFL) | os.O_ASYNC)
    with suppress(OSError), socket.socket(fileno=os.dup(lifeline)) as end:
        end.setblocking(False)
        if end.recv(1, socket.MSG_PEEK) == b"":  # closed before we listened
            os.kill(os.getpid(), signal.SIGKILL)


def _end_with_process(handle: int) -> None:
    waiting = select.poll()
    waiting.register(handle, select.POLLIN)
    waiting.poll()
    os._exit(1)
