"""`firstread doctor`: what is here, what is missing, and what to do about it."""

import os
import platform
import shutil
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

from firstread.core.paths import data_folder, home

GIB = 1024**3


@dataclass(frozen=True)
class Finding:
    """One line of the examination.

    Attributes:
        part: what was looked at.
        state: "ok", "warning" or "problem".
        text: what was seen.
        do: what to do, if anything.
    """

    part: str
    state: str
    text: str
    do: str = ""


def examine() -> list[Finding]:
    """Look at everything firstread needs. Nothing is changed and nothing is fetched."""
    parts: tuple[Callable[[], Iterator[Finding]], ...] = (
        _python,
        _torch,
        _gpu,
        _jupyter,
        _memory,
        _disk,
        _ports,
        _data,
    )
    found: list[Finding] = []
    for part in parts:
        try:
            found += part()
        except Exception as error:  # one broken part must not hide the others
            found.append(
                Finding(part.__name__.strip("_"), "warning", f"could not be examined ({type(error).__name__})")
            )
    return found


def as_json(findings: list[Finding]) -> list[dict[str, str]]:
    """Plain values."""
    return [asdict(finding) for finding in findings]


def explain_torch_error(error: Exception) -> Finding:
    """Put a name to the ways in which torch and torchvision fail to be imported."""
    text = str(error)
    if "torchvision::nms" in text or "operator torchvision" in text:
        return Finding(
            "torch", "problem", "torch and torchvision are builds that do not belong together (one CPU-only, one for CUDA)",
            "install both from the same place in one go: python -m pip install --force-reinstall torch torchvision",
        )  # fmt: skip
    if "libcud" in text or "libcublas" in text or "libnvidia" in text or "libcudnn" in text:
        return Finding(
            "torch",
            "problem",
            "torch misses a CUDA library",
            "run: python -m pip install --force-reinstall torch torchvision",
        )
    return Finding(
        "torch", "problem", f"torch cannot be imported ({type(error).__name__})", "reinstall torch and torchvision"
    )


def _python() -> Iterator[Finding]:
    good = (3, 11) <= sys.version_info[:2] <= (3, 13)
    text = f"Python {platform.python_version()} on {platform.system()} {platform.machine()}"
    yield Finding("python", "ok" if good else "problem", text, "" if good else "use Python 3.11, 3.12 or 3.13")


def _torch() -> Iterator[Finding]:
    missing = [name for name in ("torch", "torchvision", "timm", "monai", "accelerate") if find_spec(name) is None]
    if missing:
        yield Finding(
            "torch", "problem", f"not installed: {', '.join(missing)}", 'run: python -m pip install "firstread[all]"'
        )
        return
    try:
        import timm  # noqa: F401 - the import is the examination
        import torch
        import torchvision  # noqa: F401
    except Exception as error:  # any failure to import is what is asked for
        yield explain_torch_error(error)
        return
    names = ", ".join(f"{name} {version(name)}" for name in ("torch", "torchvision", "timm", "monai"))
    yield Finding("torch", "ok", f"{names}; {torch.get_num_threads()} threads")


def _gpu() -> Iterator[Finding]:
    if find_spec("torch") is None:
        return
    import torch

    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            facts = torch.cuda.get_device_properties(index)
            yield Finding("gpu", "ok", f"{facts.name}, {facts.total_memory / GIB:.0f} GiB")
    elif torch.backends.mps.is_available():
        yield Finding("gpu", "ok", "Apple GPU (MPS)")
    else:
        yield Finding("gpu", "ok", "no GPU; the lessons do not need one")


def _jupyter() -> Iterator[Finding]:
    missing = [
        name for name in ("jupyterlab", "jupytext", "nbclient", "nbconvert", "ipykernel") if find_spec(name) is None
    ]
    if missing:
        yield Finding(
            "jupyter", "problem", f"not installed: {', '.join(missing)}", 'run: python -m pip install "firstread[all]"'
        )
        return
    yield Finding("jupyter", "ok", f"JupyterLab {version('jupyterlab')}")


def _memory() -> Iterator[Finding]:
    if not hasattr(os, "sysconf") or "SC_PHYS_PAGES" not in os.sysconf_names:
        return
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / GIB
    state = "ok" if total >= 3.5 else "warning"
    yield Finding(
        "memory", state, f"{total:.1f} GiB, {os.cpu_count()} cores", "" if state == "ok" else "close other programs"
    )


def _disk() -> Iterator[Finding]:
    folder = home()
    place = next(p for p in (folder, *folder.parents) if p.exists())
    free = shutil.disk_usage(place).free / GIB
    if not os.access(place, os.W_OK):
        yield Finding("disk", "problem", f"{place} cannot be written", "set FIRSTREAD_HOME to a folder of yours")
        return
    state = "ok" if free > 2 else "warning"
    yield Finding("disk", state, f"{free:.0f} GiB free for {folder}", "" if state == "ok" else "free some space")


def _ports() -> Iterator[Finding]:
    try:
        with socket.socket() as one:
            one.bind(("127.0.0.1", 0))
            yield Finding("network", "ok", "a port on this computer is free for the notebook; nothing else is needed")
    except OSError:
        yield Finding("network", "problem", "no port on this computer can be opened", "ask who manages this computer")


def _data() -> Iterator[Finding]:
    from firstread.lessons.lesson_info import find_lessons

    yield Finding("lessons", "ok", ", ".join(info.name for info in find_lessons()))
    here = (
        sorted(p.name for p in data_folder().iterdir() if p.is_dir() and not p.name.startswith("."))
        if data_folder().is_dir()
        else []
    )
    yield Finding(
        "data", "ok", f"on disk: {', '.join(here) or 'nothing yet; phantoms are simulated when first opened'}"
    )
    try:
        yield Finding("firstread", "ok", f"firstread {version('firstread')}")
    except PackageNotFoundError:
        yield Finding(
            "firstread", "warning", "firstread is not installed as a package", "run: python -m pip install -e ."
        )
