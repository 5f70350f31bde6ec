"""Installation checks of `firstread doctor`: Python, libraries, GPU, memory, disk, network, data."""

import os
import platform
import shutil
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

from firstread.core.errors import FirstreadError
from firstread.core.paths import data_folder, home_folder

GIB = 1024**3


@dataclass(frozen=True)
class Diagnosis:
    """Result of one installation check.

    Attributes:
        part: what was checked.
        state: "ok", "warning" or "problem".
        text: what was found.
        do: remedy, if one is needed.
    """

    part: str
    state: str
    text: str
    do: str = ""


def diagnose() -> list[Diagnosis]:
    """Run all installation checks. Nothing is changed and nothing is downloaded."""
    checks: tuple[Callable[[], Iterator[Diagnosis]], ...] = (
        _check_python,
        _check_torch,
        _check_gpu,
        _check_jupyter,
        _check_memory,
        _check_disk,
        _check_ports,
        _check_data,
    )
    diagnoses: list[Diagnosis] = []
    for check in checks:
        try:
            diagnoses += check()
        except FirstreadError as error:
            part = check.__name__.removeprefix("_check_")
            diagnoses.append(Diagnosis(part, "problem", f"{error.what}: {error.where}", error.do))
        except Exception as error:  # one failed check must not hide the others
            part = check.__name__.removeprefix("_check_")
            diagnoses.append(Diagnosis(part, "warning", f"could not be examined ({type(error).__name__})"))
    return diagnoses


def to_json(diagnoses: list[Diagnosis]) -> list[dict[str, str]]:
    """Convert diagnoses to JSON values."""
    return [asdict(diagnosis) for diagnosis in diagnoses]


def explain_torch_error(error: Exception) -> Diagnosis:
    """Diagnose an exception raised by importing torch or torchvision."""
    text = str(error)
    if "torchvision::nms" in text or "operator torchvision" in text:
        return Diagnosis(
            "torch",
            "problem",
            "torch and torchvision are builds that do not belong together (one CPU-only, one for CUDA)",
            "install both from the same place in one go: python -m pip install --force-reinstall torch torchvision",
        )
    if "libcud" in text or "libcublas" in text or "libnvidia" in text or "libcudnn" in text:
        remedy = "run: python -m pip install --force-reinstall torch torchvision"
        return Diagnosis("torch", "problem", "torch misses a CUDA library", remedy)
    return Diagnosis(
        "torch", "problem", f"torch cannot be imported ({type(error).__name__})", "reinstall torch and torchvision"
    )


def _check_python() -> Iterator[Diagnosis]:
    supported = (3, 11) <= sys.version_info[:2] <= (3, 13)
    text = f"Python {platform.python_version()} on {platform.system()} {platform.machine()}"
    yield Diagnosis(
        "python", "ok" if supported else "problem", text, "" if supported else "use Python 3.11, 3.12 or 3.13"
    )


def _check_torch() -> Iterator[Diagnosis]:
    missing = [name for name in ("torch", "torchvision", "timm", "monai") if find_spec(name) is None]
    if missing:
        yield Diagnosis(
            "torch", "problem", f"not installed: {', '.join(missing)}", 'run: python -m pip install "firstread[all]"'
        )
        return
    try:
        import timm  # noqa: F401 - the import is the check
        import torch
        import torchvision  # noqa: F401
    except Exception as error:  # any import failure is a diagnosis
        yield explain_torch_error(error)
        return
    names = ", ".join(f"{name} {version(name)}" for name in ("torch", "torchvision", "timm", "monai"))
    yield Diagnosis("torch", "ok", f"{names}; {torch.get_num_threads()} threads")


def _check_gpu() -> Iterator[Diagnosis]:
    if find_spec("torch") is None:
        return
    import torch

    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            device = torch.cuda.get_device_properties(index)
            yield Diagnosis("gpu", "ok", f"{device.name}, {device.total_memory / GIB:.0f} GiB")
    elif torch.backends.mps.is_available():
        yield Diagnosis("gpu", "ok", "Apple GPU (MPS)")
    else:
        yield Diagnosis("gpu", "ok", "no GPU; the lessons do not need one")


def _check_jupyter() -> Iterator[Diagnosis]:
    missing = [
        name for name in ("jupyterlab", "jupytext", "nbclient", "nbconvert", "ipykernel") if find_spec(name) is None
    ]
    if missing:
        yield Diagnosis(
            "jupyter", "problem", f"not installed: {', '.join(missing)}", 'run: python -m pip install "firstread[all]"'
        )
        return
    yield Diagnosis("jupyter", "ok", f"JupyterLab {version('jupyterlab')}")


def _check_memory() -> Iterator[Diagnosis]:
    if not hasattr(os, "sysconf") or "SC_PHYS_PAGES" not in os.sysconf_names:
        return
    total_gib = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / GIB
    state = "ok" if total_gib >= 3.5 else "warning"
    text = f"{total_gib:.1f} GiB, {os.cpu_count()} cores"
    yield Diagnosis("memory", state, text, "" if state == "ok" else "close other programs")


def _check_disk() -> Iterator[Diagnosis]:
    folder = home_folder()
    existing = next(p for p in (folder, *folder.parents) if p.exists())
    free_gib = shutil.disk_usage(existing).free / GIB
    if not os.access(existing, os.W_OK):
        yield Diagnosis("disk", "problem", f"{existing} cannot be written", "set FIRSTREAD_HOME to a folder of yours")
        return
    state = "ok" if free_gib > 2 else "warning"
    yield Diagnosis("disk", state, f"{free_gib:.0f} GiB free for {folder}", "" if state == "ok" else "free some space")


def _check_ports() -> Iterator[Diagnosis]:
    try:
        with socket.socket() as server:
            server.bind(("127.0.0.1", 0))
            yield Diagnosis("network", "ok", "a port on this computer is free for the notebook; nothing else is needed")
    except OSError:
        yield Diagnosis("network", "problem", "no port on this computer can be opened", "ask who manages this computer")


def _check_data() -> Iterator[Diagnosis]:
    from firstread.lessons.lesson_info import find_lessons

    yield Diagnosis("lessons", "ok", ", ".join(info.name for info in find_lessons()))
    entries = list(data_folder().iterdir()) if data_folder().is_dir() else []
    names = sorted(p.name for p in entries if p.is_dir() and not p.name.startswith("."))
    text = ", ".join(names) or "nothing yet; phantoms are simulated when first opened"
    yield Diagnosis("data", "ok", f"on disk: {text}")
    try:
        yield Diagnosis("firstread", "ok", f"firstread {version('firstread')}")
    except PackageNotFoundError:
        yield Diagnosis(
            "firstread", "warning", "firstread is not installed as a package", "run: python -m pip install -e ."
        )
