"""Modules preloaded by a zygote before the fork, and the setup of the forked child process (server or kernel)."""

import importlib
import inspect
import os
import pkgutil
import random
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar, cast

from firstread.classroom.class_folder import ClassFolder
from firstread.classroom.home_directory import HARDWARE_FILE, prepare_home
from firstread.classroom.sandbox.cgroups import MEMORY_BYTES, ProcessKind, create_participant_cgroup
from firstread.classroom.sandbox.disk_quota import OVER_QUOTA_FILE_BYTES, is_over_quota
from firstread.classroom.sandbox.sandbox import MAX_FILE_BYTES, Sandbox, python_folders, readable_parent

# imported, not used: nothing before the fork may open a socket, start a thread or an event loop, and no module that
# reads one participant's environment variables when it is imported may be among them (see `neutral_environment`)
_SERVER_MODULES = (
    *("jupyter_server.serverapp", "jupyter_server.services.contents.manager"),
    *("jupyter_server.services.contents.largefilemanager", "jupyter_server.services.kernels.kernelmanager"),
    *("jupyter_server.services.sessions.sessionmanager", "jupyterlab.labapp", "jupyterlab_server"),
    *("jupyter_client.asynchronous", "jupyter_client.provisioning", "nbformat", "nbconvert.exporters"),
    *("tornado.httpserver", "tornado.curl_httpclient", "jinja2", "psutil"),
    *("jupyterhub.utils", "jupyterhub.log", "jupyterlab.serverextension", "notebook_shim"),
    *("jupyter_server.extension.serverextension", "jupyter_server.services.events.handlers"),
    *("IPython.core.interactiveshell", "firstread.classroom.participant.event_uploader"),
    "firstread.classroom.prefork.kernel_provisioner",
)
_KERNEL_MODULES = (
    *("ipykernel.kernelapp", "ipykernel.inprocess", "IPython.core.completer", "jedi", "matplotlib.pyplot"),
    *("matplotlib_inline.backend_inline", "matplotlib.backends.backend_agg", "pandas", "pyarrow.parquet"),
    *("scipy.stats", "sklearn.linear_model", "sklearn.metrics", "sklearn.neighbors", "PIL.Image"),
    *("PIL.PngImagePlugin", "PIL.JpegImagePlugin", "pydicom", "tqdm", "ipywidgets", "torch", "torch._dynamo"),
    *("torchvision", "timm", "monai", "safetensors.torch"),
)
#: where there are no CPU weights: kernels give way to the hub and the service, but not to every other program
KERNEL_NICE = 5
#: imports that take longer are logged
_SLOW_IMPORT_SECONDS = 1.0


def preload(kind: str, folder: ClassFolder, *, with_lesson: bool) -> None:
    """Import the modules that processes of this kind need; for kernels, optionally run the lesson once."""
    if kind == "server":
        os.environ.update(neutral_environment(folder))
    log_progress(f"importing what a {kind} needs")
    for name in _SERVER_MODULES if kind == "server" else (*_KERNEL_MODULES, *_lesson_modules()):
        begin = time.monotonic()
        with suppress(ImportError):  # a missing module raises where it is used
            importlib.import_module(name)
        if (seconds := time.monotonic() - begin) > _SLOW_IMPORT_SECONDS:
            log_progress(f"imported {name} in {seconds:.1f} s")
    if kind == "kernel":
        _preload_kernel(folder, with_lesson=with_lesson)


def log_progress(message: str) -> None:
    """Write a line into the zygote's log, which the supervisor shows while a class starts."""
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {message}\n")
    sys.stderr.flush()


def neutral_environment(folder: ClassFolder) -> dict[str, str]:
    """Environment variables under which a server's modules are preloaded.

    Some libraries read the environment when they are imported (JupyterLab its folders, jupyter_client the user name),
    and keep what they read for all children: nothing of the instructor's, and nothing of one participant's. What a
    participant's server must read itself (`jupyterhub.services.auth`: token, cookie path and URLs) is not preloaded.
    """
    jupyter = str(folder.path / "jupyter")
    return {"HOME": jupyter, "USER": "participant", "JUPYTER_PATH": jupyter, "JUPYTER_CONFIG_PATH": jupyter}


def _preload_kernel(folder: ClassFolder, *, with_lesson: bool) -> None:
    sys.modules["debugpy"] = cast("ModuleType", None)  # not imported: classes have no debugger, and it is large
    importlib.import_module("ipykernel.debugger")
    import matplotlib as mpl
    from tqdm import tqdm

    from firstread.lessons.warmup import warm_up

    mpl.use("agg")
    tqdm.monitor_interval = 0  # the monitor would be a thread
    os.environ["FIRSTREAD_HOME"] = str(folder.path)
    try:
        if with_lesson:
            log_progress("going through the lesson once")
            warm_up(folder.lesson, data=folder.settings.data)
    except Exception as error:  # the message is not logged: it could contain values of someone's data
        sys.stderr.write(f"The lesson could not be gone through beforehand: {type(error).__name__}\n")
    hardware = folder.path / HARDWARE_FILE
    if hardware.exists():  # participants copy it, and may be other users of the system
        hardware.chmod(0o644)


def run_child(folder: ClassFolder, kind: str, request: dict[str, Any]) -> None:
    """Run the server or kernel in this forked process, which has entered its sandbox, until it ends."""
    username = request["username"]
    home = folder.home_of(username)
    prepare_home(folder, username)
    os.environ.clear()
    os.environ.update(request["environment"])
    _redirect_stdio(home / ".firstread" / f"{kind}.log")
    _reseed_generators()
    signal.set_wakeup_fd(-1)
    if kind == "server":
        _run_server(request["arguments"])
    else:
        _run_kernel(request["arguments"])


def _run_server(arguments: list[str]) -> None:
    from jupyterhub.singleuser import main
    from jupyterlab.commands import get_user_settings_dir, get_workspaces_dir

    # JupyterLab set its defaults when the zygote imported it, in the home of the user who started the class
    folders = [
        f"--LabApp.workspaces_dir={get_workspaces_dir()}",
        f"--LabApp.user_settings_dir={get_user_settings_dir()}",
    ]
    sys.argv = ["jupyterhub-singleuser", *arguments, *folders]
    main()


def _run_kernel(arguments: list[str]) -> None:
    import ipykernel.ipkernel
    from ipykernel.kernelapp import IPKernelApp

    # both read `__file__` of each of 5,700 modules, which copies 40 MB of shared pages in every kernel, a fifth of what
    # a participant costs: ipykernel for a debugger that classes do not have, inspect to find the module of a frame in
    # a traceback; tests/classroom/prefork/test_library_interfaces.py says when a new version needs another look
    patched_ipkernel: Any = ipykernel.ipkernel
    patched_ipkernel.sys = _SysWithoutModules()
    patched_inspect: Any = inspect
    patched_inspect.getmodule = _getmodule
    sys.path.insert(0, "")
    sys.argv = ["ipykernel_launcher", *arguments]
    IPKernelApp.launch_instance(arguments)


def build_sandbox(folder: ClassFolder, kind: ProcessKind, username: str, *, port: int = 0) -> Sandbox:
    """The sandbox of a participant's server or kernel.

    Raises:
        PermissionError: a folder that all may read holds the class's secrets.
    """
    shared = shared_read_paths(folder)
    if exposed := readable_parent(folder.path / "hub", shared):
        raise PermissionError(f"the class's secrets lie in {exposed}, which participants may read")
    own = (folder.home_of(username), folder.sockets_folder_of(username))
    uid = folder.uid_of(username)
    cgroup = create_participant_cgroup(folder.cgroup_name, kind, username)
    if kind == "server":
        return Sandbox(
            read_paths=(*shared, folder.sockets_folder / "zygotes"),
            write_paths=own,
            bind_ports=(port,),
            connect_ports=tuple(folder.ports.values()),
            working_folder=own[0],
            uid=uid,
            memory_bytes=MEMORY_BYTES[kind],
            cgroup=cgroup,
            oom_score_adj=300,
        )
    return Sandbox(
        read_paths=(*shared, folder.queue_socket.parent),
        write_paths=own,
        working_folder=own[0],
        network=False,
        uid=uid,
        memory_bytes=MEMORY_BYTES[kind],
        cgroup=cgroup,
        file_bytes=OVER_QUOTA_FILE_BYTES if is_over_quota(folder, username) else MAX_FILE_BYTES,
        nice=0 if cgroup and cgroup.has_cpu_weight else KERNEL_NICE,
        oom_score_adj=700,
    )


def shared_read_paths(folder: ClassFolder) -> tuple[Path, ...]:
    """Files and folders, besides the system's own, that every participant of a class may read."""
    shared = [folder.path / name for name in ("data", "template.ipynb", "jupyter", HARDWARE_FILE)]
    shared += [folder.lesson.folder.parent, *python_folders()]
    if Path(folder.settings.data).is_absolute():
        shared.append(Path(folder.settings.data))
    return tuple(shared)


def _lesson_modules() -> list[str]:
    """Names of all firstread modules that a lesson may import."""
    import firstread

    names = []
    for entry in pkgutil.iter_modules(firstread.__path__):
        if entry.name not in ("classroom", "cli", "__main__"):  # not only filtered: walk_packages imports each package
            packages = [str(Path(path) / entry.name) for path in firstread.__path__] if entry.ispkg else []
            found = pkgutil.walk_packages(packages, f"firstread.{entry.name}.", onerror=lambda _: None)
            names += [f"firstread.{entry.name}", *(module.name for module in found)]
    return names


class _SysWithoutModules:
    """Python's `sys` module with an empty `modules`."""

    modules: ClassVar[dict[str, Any]] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(sys, name)


_original_getmodule = inspect.getmodule


def _getmodule(thing: object, _filename: str | None = None) -> ModuleType | None:
    """`inspect.getmodule`, with the module of a frame from its globals."""
    if inspect.isframe(thing):
        return sys.modules.get(thing.f_globals.get("__name__", ""))
    return _original_getmodule(thing, _filename)


def _redirect_stdio(log: Path) -> None:
    """Connect stdin to /dev/null, and stdout and stderr to the participant's log file."""
    log.unlink(missing_ok=True)
    devnull_fd = os.open(os.devnull, os.O_RDONLY)
    log_fd = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
    for source, target in ((devnull_fd, 0), (log_fd, 1), (log_fd, 2)):
        os.dup2(source, target)
    os.close(devnull_fd)
    os.close(log_fd)


def _reseed_generators() -> None:
    """Seed the global random generators anew: forked processes must not draw the same numbers."""
    random.seed()
    with suppress(ImportError, AttributeError):
        sys.modules["numpy"].random.seed()
    if "torch" in sys.modules:
        sys.modules["torch"].default_generator.seed()
