"""Seconds of training: firstread beside its peers with the same images, to the same outcome, and several at once."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

import firstread as fr

HERE = Path(__file__).resolve().parent
#: backbone, pixels on each side, channels, and how often an image goes through the network by phase: 1 forward, 3 with learning
ARCHITECTURES = {
    "hello-world": ("inception_v3", 299, 3, {"first": 1, "more": 3}),
    "mednist": ("resnet34", 64, 1, {"first": 3, "more": 3}),
}
KERAS = "keras_hello_world.py"
#: everyone trains so often, one after the other in each round, and the fastest counts: what else a machine does only adds
ROUNDS = 2


def hello_world(*, quick: bool, peers: Path | None) -> dict[str, Any]:
    """The published lesson 1: InceptionV3, 299 pixels, batch 8, 5 frozen and 3 unfrozen epochs, augmented."""
    cohort = fr.open_dataset("hello-world/openi")
    epochs = ["1", "1"] if quick else ["5", "3"]
    return _beside(cohort, "hello-world", peers, KERAS, "hello_world.py", epochs, rounds=1 if quick else ROUNDS)


def mednist(*, quick: bool, peers: Path | None) -> dict[str, Any]:
    """The published lesson 2: ResNet34 from random weights, 64 pixels, one cycle and five more, augmented."""
    cohort = fr.open_dataset("mednist/rsna", split="random")
    cohort = cohort.where(cohort.table["split"].isin(["train", "validation"]))
    epochs = ["1", "1"] if quick else ["1", "5"]
    return _beside(cohort, "mednist", peers, "fastai_mednist.py", "mednist.py", epochs, rounds=1 if quick else ROUNDS)


def outcome(*, quick: bool, peers: Path | None) -> dict[str, Any]:
    """Seconds of training to a network of a cross-validated accuracy on hello-world/openi: lesson 1's recipe, and the published one in Keras."""
    from firstread.core.splits import folds_by_patient

    cohort = fr.open_dataset("hello-world/openi")
    commands = {"firstread": [sys.executable, str(HERE / "work" / "default_recipe.py")]}
    if peers is not None:
        commands["keras"] = [str(peers), str(HERE / "peers" / KERAS)]
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
            "framework": folds[0]["framework"],
            "cases": sum(sizes),
            "cross_validated_accuracy": round(right / sum(sizes), 4),
            "seconds_training": round(statistics.median(fold["seconds_training"] for fold in folds), 2),
            "peak_memory_mb": round(max(fold["peak_memory_mb"] for fold in folds)),
        }
    if "keras" in out:
        out["keras takes so many times as long"] = round(
            out["keras"]["seconds_training"] / out["firstread"]["seconds_training"], 1
        )
    return out


def queue(*, quick: bool) -> dict[str, Any]:
    """Several trainings at once, in line and not in line, beside the same trainings one after another: wall seconds.

    Those that are not in line fight for the processor; they are ended when they have taken twice as long as those in line.
    """
    count = 2 if quick else 3
    with tempfile.TemporaryDirectory() as folder:
        cohort = fr.open_dataset("mednist/rsna", split="random")
        cohort.where(cohort.table["split"].isin(["train", "validation"])).save(folder)
        words = [sys.executable, str(HERE / "work" / "mednist.py"), folder, "1", "1"]
        line = str(Path(folder) / "line")
        one_by_one = sum(_seconds_of(words, 1, line) for _ in range(count))
        in_line = _seconds_of(words, count, line)
        fighting = _seconds_of(words, count, "off", limit=2 * in_line)
    return {
        "trainings": count,
        "seconds_one_after_another": round(one_by_one, 1),
        "seconds_in_line": round(in_line, 1),
        "throughput_in_line": round(one_by_one / in_line, 3),
        "seconds_without_line": round(fighting, 1) if fighting < 2 * in_line else f"not done after {2 * in_line:.0f}",
    }


def _seconds_of(words: list[str], count: int, line: str, *, limit: float = float("inf")) -> float:
    """Wall seconds of `count` trainings at once; `limit` if they were ended then."""
    environment, begin = _environment() | {"FIRSTREAD_QUEUE": line}, time.perf_counter()
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    running = [subprocess.Popen(words, env=environment, **quiet) for _ in range(count)]
    while any(one.poll() is None for one in running):
        if time.perf_counter() - begin > limit:
            for one in running:
                one.kill()
                one.wait()
            return limit
        time.sleep(0.1)
    if failed := sum(one.returncode != 0 for one in running):
        raise RuntimeError(f"{failed} of {count} trainings failed")
    return time.perf_counter() - begin


def _beside(
    cohort: Any, work: str, peers: Path | None, theirs: str, ours: str, epochs: list[str], *, rounds: int
) -> dict[str, Any]:
    """The same images to everyone, as arrays to the peers and as a cohort to firstread, one after the other."""
    backbone, size, channels, passes = ARCHITECTURES[work]
    with tempfile.TemporaryDirectory() as folder:
        _write_images(cohort, folder, size=size, channels=channels)
        loops = str(HERE / "peers" / "torch_loops.py")
        commands = {
            "firstread": [sys.executable, str(HERE / "work" / ours), folder, *epochs],
            "firstread, float32": [sys.executable, str(HERE / "work" / ours), folder, *epochs, "float32"],
            "plain PyTorch": [sys.executable, loops, folder, "torchvision", work, *epochs],
            "MONAI CacheDataset": [sys.executable, loops, folder, "monai", work, *epochs],
        }
        if peers is not None:
            commands[theirs.split("_", maxsplit=1)[0]] = [str(peers), str(HERE / "peers" / theirs), folder, *epochs]
        trainings = [{name: _json_of(words) for name, words in commands.items()} for _ in range(rounds)]
    out = {}
    for name in commands:
        seconds = [training[name]["seconds_training"] for training in trainings]
        out[name] = {**trainings[int(np.argmin(seconds))][name], "seconds_of_rounds": [round(s, 1) for s in seconds]}
    peaks = {precision: matrix_peak_gflops(precision) for precision in ("float32", "bfloat16")}
    once = _gflop(backbone, size, channels)
    seen = len(cohort.train) * np.array([int(n) for n in epochs])
    for value in out.values():
        value["images_per_second"] = round(float(seen.sum()) / value["seconds_training"], 1)
        value["times_as_long_as_firstread"] = round(value["seconds_training"] / out["firstread"]["seconds_training"], 2)
        peak = peaks[value["precision"]]
        value["matrix_peak_gflop_per_second"] = round(peak)
        value["share_of_peak_by_phase"] = {
            phase: round(once * passes[phase] * int(count) / value["seconds_by_phase"][phase] / peak, 3)
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

    from firstread.learning.hardware import matrix_peak

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


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [str(HERE), os.environ.get("PYTHONPATH", "")]))}


def _json_of(words: list[str]) -> dict[str, Any]:
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=_environment())
    if done.returncode:
        raise RuntimeError(done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "no message")
    return json.loads(done.stdout.strip().splitlines()[-1])
