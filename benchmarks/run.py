"""`make bench`: firstread beside the frameworks of the published lessons, in one run on one machine.

Usage: python benchmarks/run.py [--only NAME ...] [--quick] [--peers/--no-peers]
"""

import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

import accuracy
import few_images

HERE = Path(__file__).resolve().parent


ROOT = HERE.parent
PEERS = ROOT / ".venv-peers"
WORKS = (
    "start",
    "phantoms",
    "hello-world",
    "mednist",
    "openi",
    "transfer",
    "rsna",
    "transfer-six",
    "few",
    "outcome",
    "queue",
)
console = Console()


def main(
    only: Annotated[list[str] | None, typer.Option(help=f"One or more of {', '.join(WORKS)}.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="One epoch each: does it run at all?")] = False,
    peers: Annotated[bool, typer.Option(help="Install and run the peers.")] = True,
) -> None:
    """Measure, print, and keep the figures with the machine's description under benchmarks/results/."""
    os.environ.setdefault("FIRSTREAD_PROGRESS", "off")
    shared = ROOT.parent / "shared" / "data"
    if shared.is_dir():
        os.environ.setdefault("FIRSTREAD_DATA_MIRROR", str(shared))
    chosen = only or list(WORKS)
    python = peers_python() if peers and {"hello-world", "mednist", "outcome"} & set(chosen) else None
    found: dict[str, Any] = {"machine": machine(), "date": f"{datetime.now():%Y-%m-%d %H:%M}", "quick": quick}
    works = {
        "start": start, "phantoms": phantoms, "hello-world": hello_world, "mednist": mednist,
        "openi": openi, "transfer": transfer, "rsna": rsna, "transfer-six": transfer_six, "few": few, "outcome": outcome,
        "queue": queue,
    }  # fmt: skip
    for name in chosen:
        console.rule(name)
        try:
            found[name] = works[name](quick=quick, peer=python)
        except Exception as error:  # one work that cannot be had must not take the others with it
            found[name] = {"skipped": f"{type(error).__name__}: {error}"}
        console.print_json(json.dumps(found[name], default=str))
    show(found)
    file = HERE / "results" / f"{datetime.now():%Y-%m-%d-%H%M}-{platform.machine()}{'-quick' if quick else ''}.json"
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(found, indent=2, default=str) + "\n", encoding="utf-8")
    console.print(f"Kept: {file.relative_to(ROOT)}")


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    import torch

    cpu = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        cpu = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), cpu)
    return {
        "cpu": cpu, "cores": os.cpu_count(), "system": f"{platform.system()} {platform.release()}",
        "memory_gib": round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30, 1),
        "python": platform.python_version(), "torch": torch.__version__, "gpu": torch.cuda.is_available(),
    }  # fmt: skip


def peers_python() -> Path | None:
    """The peers' own environment, made if it is not there."""
    python = PEERS / "bin" / "python"
    ready = PEERS / ".ready"
    if not ready.exists():
        console.print("Installing the peers into .venv-peers; this takes some minutes.")
        try:
            subprocess.run([sys.executable, "-m", "venv", str(PEERS)], check=True)
            subprocess.run(
                [str(python), "-m", "pip", "install", "-q", "-r", str(HERE / "peers" / "requirements.txt")], check=True
            )
        except subprocess.CalledProcessError:
            console.print("The peers cannot be installed here; only firstread is measured.")
            return None
        ready.touch()
    return python


def start(*, quick: bool, peer: Path | None) -> dict[str, Any]:
    """Seconds of `import firstread`, of its core, and of `firstread --help`; median of several."""
    commands = {
        "import firstread": [sys.executable, "-c", "import firstread"],
        "import firstread.core.*": [
            sys.executable,
            "-c",
            "import firstread.core.cohort, firstread.core.predictions, firstread.core.run",
        ],
        "firstread --help": [str(Path(sys.executable).parent / "firstread"), "--help"],
        "python alone": [sys.executable, "-c", "pass"],
    }
    return {name: {"median_seconds": round(_median(words, 2 if quick else 9), 3)} for name, words in commands.items()}


def phantoms(*, quick: bool, peer: Path | None) -> dict[str, Any]:
    """Seconds to simulate 77 radiographs of 256 pixels, and 1,800 slices of 64."""
    from firstread.phantoms.collections import make_mednist
    from firstread.phantoms.patients import simulate_patients

    out = {}
    with tempfile.TemporaryDirectory() as folder:
        begin = time.perf_counter()
        count = 8 if quick else 77
        simulate_patients(count, kinds=("chest radiograph",), size=256, folder=Path(folder) / "r")
        out[f"{count} radiographs of 256 pixels"] = {"seconds": round(time.perf_counter() - begin, 1)}
        begin = time.perf_counter()
        each = 20 if quick else 300
        make_mednist(Path(folder) / "m", size=64, per_class=each)
        out[f"{6 * each} images of six classes, 64 pixels"] = {"seconds": round(time.perf_counter() - begin, 1)}
    return out


def hello_world(*, quick: bool, peer: Path | None) -> dict[str, Any]:
    """The published lesson 1: InceptionV3, 299 pixels, batch 8, 5 frozen and 3 unfrozen epochs, augmented."""
    import firstread as fr

    cohort = fr.open_dataset("hello-world/openi")
    epochs = ["1", "1"] if quick else ["5", "3"]
    return _beside(cohort, "hello-world", peer, "keras_hello_world.py", "hello_world.py", epochs)


def mednist(*, quick: bool, peer: Path | None) -> dict[str, Any]:
    """The published lesson 2: ResNet34 from random weights, 64 pixels, one cycle and five more, augmented."""
    import firstread as fr

    cohort = fr.open_dataset("mednist/rsna", split="random")
    cohort = cohort.where(cohort.table["split"].isin(["train", "validation"]))
    epochs = ["1", "1"] if quick else ["1", "5"]
    return _beside(cohort, "mednist", peer, "fastai_mednist.py", "mednist.py", epochs)


def openi(*, quick: bool, peer: Path | None) -> dict[str, Any]:
    """hello-world/openi, cross-validated."""
    return {"hello-world/openi, cross-validated": accuracy.cross_validated_openi(_seeds(quick))}


def rsna(*, quick: bool, peer: Path | None) -> dict[str, Any]:
    """mednist/rsna by random and by contiguous split."""
    return {f"mednist/rsna, {s} split": v for s, v in accuracy.mednist_by_split(_seeds(quick)).items()}


def transfer(*, quick: bool, peer: Path | None) -> dict[str, Any]:
    """Phantom radiographs alone, read on hello-world/openi."""
    return {
        "phantoms alone, read on hello-world/openi": accuracy.phantoms_to_openi(20 if quick else 240, _seeds(quick))
    }


def transfer_six(*, quick: bool, peer: Path | None) -> dict[str, Any]:
    """Phantoms of six classes alone, read on mednist/rsna."""
    return {"phantoms alone, read on mednist/rsna": accuracy.phantoms_to_rsna(_seeds(quick))}


def few(*, quick: bool, peer: Path | None) -> dict[str, Any]:
    """Few training images: bundled weights against random ones."""
    return few_images.measure_few(quick=quick)


def outcome(*, quick: bool, peer: Path | None) -> dict[str, Any]:
    """Seconds of training to a network of a cross-validated accuracy on hello-world/openi: the default recipe, and the published one in Keras."""
    import firstread as fr
    from firstread.splits import folds_by_patient

    cohort = fr.open_dataset("hello-world/openi")
    commands = {"firstread": [sys.executable, str(HERE / "work" / "default_recipe.py")]}
    if peer is not None:
        commands["keras"] = [str(peer), str(HERE / "peers" / "keras_hello_world.py")]
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in commands}
    sizes = []
    for _, held_out in list(folds_by_patient(cohort, folds=5, seed=0))[: 1 if quick else 5]:
        sizes.append(int(held_out.sum()))
        divided = cohort.with_column("split", np.where(held_out, "validation", "train"))
        with tempfile.TemporaryDirectory() as folder:
            _write_images(divided, folder, size=299, channels=3)
            for name, words in commands.items():
                epochs = (["1", "1"] if quick else ["5", "3"]) if name == "keras" else []
                found[name].append(_json_of([*words, folder, *epochs]))
    out: dict[str, Any] = {}
    for name, folds in found.items():
        right = sum(round(fold["validation_accuracy"] * size) for fold, size in zip(folds, sizes, strict=True))
        out[name] = {
            "framework": folds[0]["framework"], "cases": sum(sizes), "cross_validated_accuracy": round(right / sum(sizes), 4),
            "seconds_training": statistics.median(fold["seconds_training"] for fold in folds),
            "peak_memory_mb": max(fold["peak_memory_mb"] for fold in folds),
        }  # fmt: skip
    if "keras" in out:
        out["ratio"] = round(out["keras"]["seconds_training"] / out["firstread"]["seconds_training"], 1)
    return out


def queue(*, quick: bool, peer: Path | None) -> dict[str, Any]:
    """Several trainings at once, in line and not in line, beside the same trainings one after another: wall seconds."""
    import firstread as fr

    count = 2 if quick else 6
    with tempfile.TemporaryDirectory() as folder:
        cohort = fr.open_dataset("mednist/rsna", split="random")
        cohort.where(cohort.table["split"].isin(["train", "validation"])).save(folder)
        words = [sys.executable, str(HERE / "work" / "mednist.py"), folder, "1", "1" if quick else "2"]

        def seconds(at_once: bool, line: str) -> float:
            environment = {**os.environ, "FIRSTREAD_QUEUE": line}
            begin = time.perf_counter()
            running = []
            for _ in range(count):
                running.append(
                    subprocess.Popen(words, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                )
                if not at_once:
                    running[-1].wait()
            failed = sum(process.wait() != 0 for process in running)
            if failed:
                raise RuntimeError(f"{failed} of {count} trainings failed")
            return time.perf_counter() - begin

        line = str(Path(folder) / "line")
        one_by_one, in_line, all_at_once = seconds(False, line), seconds(True, line), seconds(True, "off")
    return {
        "trainings": count, "seconds_one_after_another": one_by_one, "seconds_in_line": in_line,
        "seconds_without_line": all_at_once, "throughput_in_line": round(one_by_one / in_line, 3),
        "throughput_without_line": round(one_by_one / all_at_once, 3),
    }  # fmt: skip


def _seeds(quick: bool) -> tuple[int, ...]:
    return (0,) if quick else accuracy.SEEDS


#: backbone, pixels on each side, channels, and how often an image goes through the network by phase: 1 forward, 3 with learning
_ARCHITECTURES = {
    "hello-world": ("inception_v3", 299, 3, {"first": 1, "more": 3}),
    "mednist": ("resnet34", 64, 1, {"first": 3, "more": 3}),
}


def _beside(cohort: Any, work: str, peer: Path | None, theirs: str, ours: str, epochs: list[str]) -> dict[str, Any]:
    """The same images to everyone, as arrays to the peers and as a cohort to firstread, one after the other."""
    backbone, size, channels, passes = _ARCHITECTURES[work]
    with tempfile.TemporaryDirectory() as folder:
        _write_images(cohort, folder, size=size, channels=channels)
        loops = str(HERE / "peers" / "torch_loops.py")
        commands = {
            "firstread": [sys.executable, str(HERE / "work" / ours), folder, *epochs],
            "firstread, float32": [sys.executable, str(HERE / "work" / ours), folder, *epochs, "float32"],
            "plain PyTorch": [sys.executable, loops, folder, "torchvision", work, *epochs],
            "MONAI CacheDataset": [sys.executable, loops, folder, "monai", work, *epochs],
        }
        if peer is not None:
            commands[theirs.split("_", maxsplit=1)[0]] = [str(peer), str(HERE / "peers" / theirs), folder, *epochs]
        out = {name: _json_of(words) for name, words in commands.items()}
    once = _gflop(backbone, size, channels)
    seen = len(cohort.train) * np.array([int(n) for n in epochs])
    for name, value in out.items():
        value["images_per_second"] = round(float(seen.sum()) / value["seconds_training"], 1)
        value["times_as_long_as_firstread"] = round(value["seconds_training"] / out["firstread"]["seconds_training"], 2)
        if name.startswith("firstread"):
            peak = matrix_peak_gflops(value["precision"])
            value["matrix_peak_gflop_per_second"] = round(peak)
            value["share_of_peak_by_phase"] = {
                phase: round(once * passes[phase] * count / value["seconds_by_phase"][phase] / peak, 3)
                for phase, count in zip(("first", "more"), seen, strict=True)
            }
    return out


def _write_images(cohort: Any, folder: str, *, size: int, channels: int) -> None:
    """As arrays for the peers, and as a cohort for firstread."""
    arrays = {}
    for part in ("train", "validation"):
        cases = cohort.part(part)
        arrays |= {f"{part}_images": cases.images(size, channels=channels), f"{part}_targets": cases.targets}
    np.savez(Path(folder) / "images.npz", **arrays)
    cohort.save(folder)


def matrix_peak_gflops(precision: str) -> float:
    """The measured rate of a 4096 matrix product."""
    import torch

    from firstread.learning.machine import matrix_peak

    return matrix_peak(torch.bfloat16 if precision == "bfloat16" else torch.float32)


def _gflop(backbone: str, size: int, channels: int) -> float:
    """10^9 operations of one image going forward through a backbone."""
    import timm
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    network = timm.create_model(backbone, num_classes=0, in_chans=channels).eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.zeros(1, channels, size, size))
    return counter.get_total_flops() / 1e9


def _json_of(words: list[str]) -> dict[str, Any]:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "no message")
    return json.loads(done.stdout.strip().splitlines()[-1])


def _median(words: list[str], times: int) -> float:
    seconds = []
    for _ in range(times):
        begin = time.perf_counter()
        subprocess.run(words, capture_output=True, check=True)
        seconds.append(time.perf_counter() - begin)
    return statistics.median(seconds)


def show(found: dict[str, Any]) -> None:
    """The figures that matter, as tables."""
    console.print(found["machine"])
    for work in ("hello-world", "mednist"):
        rows = {k: v for k, v in found.get(work, {}).items() if isinstance(v, dict)}
        if not rows:
            continue
        title = f"{work}: the same architecture, images, epochs and augmentation"
        table = Table("", "seconds", "images/s", "peak memory", "times as long", "share of matrix peak", title=title)
        for name, value in rows.items():
            share = ", ".join(f"{k} {v:.0%}" for k, v in value.get("share_of_peak_by_phase", {}).items())
            table.add_row(
                f"{name} ({value['framework']})", f"{value['seconds_training']:.1f}", f"{value['images_per_second']:.1f}",
                f"{value['peak_memory_mb']:.0f} MB", f"{value['times_as_long_as_firstread']:.2f}", share,
            )  # fmt: skip
        console.print(table)
    table = Table("accuracy on published images", "accuracy", "AUC", "best trivial rule", "seeds")
    told = {
        k: v
        for work in ("openi", "transfer", "rsna", "transfer-six", "few", "outcome", "queue")
        for k, v in found.get(work, {}).items()
    }
    for name, value in told.items():
        if isinstance(value, dict):
            network = value["comparison"][0]
            rule = max(value["comparison"][1:], key=lambda row: row["accuracy"])
            table.add_row(
                name, f"{network['accuracy']:.4f} [{network['low']:.4f}, {network['high']:.4f}]",
                f"{network['AUC'] or float('nan'):.4f} [{network['AUC low'] or float('nan'):.4f}, {network['AUC high'] or float('nan'):.4f}]",
                f"{rule['name']} {rule['accuracy']:.4f}", str(value["seeds"]),
            )  # fmt: skip
    console.print(table)


if __name__ == "__main__":
    typer.run(main)
