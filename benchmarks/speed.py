"""Training speed: firstread and its peers on the same images, time to accuracy, and several trainings at once."""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

import firstread as fr

HERE = Path(__file__).resolve().parent
#: backbone, image size in pixels, channels, and cost of an image by phase in forward passes: 1 frozen, 3 with backward
ARCHITECTURES = {
    "hello-world": ("inception_v3", 299, 3, {"first": 1, "more": 3}),
    "mednist": ("resnet34", 64, 1, {"first": 3, "more": 3}),
}
KERAS = "keras_hello_world.py"
#: of `time_to_accuracy`: accuracy on the held-out images, and the time after which a training counts as not there
TARGET_ACCURACY, LIMIT_SECONDS = 0.95, 300.0
#: trainings of each framework, in turn; the fastest counts, because other load on the machine only adds time
ROUNDS = 2


def hello_world(*, quick: bool, peers: Path | None) -> dict[str, Any]:
    """The published lesson 1: InceptionV3, 299 pixels, batch 8, 5 frozen and 3 unfrozen epochs, augmented."""
    cohort = fr.open_dataset("hello-world/openi")
    epochs = ["1", "1"] if quick else ["5", "3"]
    rounds = 1 if quick else ROUNDS
    return _compare_with_peers(cohort, "hello-world", peers, KERAS, "hello_world.py", epochs, rounds=rounds)


def mednist(*, quick: bool, peers: Path | None) -> dict[str, Any]:
    """The published lesson 2: ResNet34 from random weights, 64 pixels, one cycle and five more, augmented."""
    cohort = fr.open_dataset("mednist/rsna", split="random")
    cohort = cohort.where(cohort.table["split"].isin(["train", "validation"]))
    epochs = ["1", "1"] if quick else ["1", "5"]
    rounds = 1 if quick else ROUNDS
    return _compare_with_peers(cohort, "mednist", peers, "fastai_mednist.py", "mednist.py", epochs, rounds=rounds)


def time_to_accuracy(*, quick: bool, peers: Path | None) -> dict[str, Any]:
    """Seconds until the first epoch with a target accuracy on the held-out third of hello-world/openi.

    One stopping rule for all: training, with validation after each epoch, ends at the first epoch with the target
    accuracy or when the time is over. The clock starts when the network is built. Seed k holds out fold k of three, so
    that every image is held out once.
    """
    from firstread.core.splits import folds_by_patient

    cohort, seeds = fr.open_dataset("hello-world/openi"), (0,) if quick else (0, 1, 2)
    limit = 20.0 if quick else LIMIT_SECONDS
    trainings: dict[str, list[dict[str, Any]]] = {}
    sizes = []
    for seed, (_, held_out) in zip(seeds, folds_by_patient(cohort, folds=3, seed=0), strict=False):
        sizes.append(int(held_out.sum()))
        fold_cohort = cohort.with_column("split", np.where(held_out, "validation", "train"))
        with tempfile.TemporaryDirectory() as small, tempfile.TemporaryDirectory() as large:
            _write_images(fold_cohort, small, size=96, channels=1)
            _write_images(fold_cohort, large, size=299, channels=3)
            _write_backbone_weights(Path(small) / "weights.npz", fold_cohort.classes)
            for name, command in _contestants(small, large, peers).items():
                arguments = [*command, str(seed), str(TARGET_ACCURACY), str(limit)]
                trainings.setdefault(name, []).append(_run_json(arguments))
    return {
        "target_accuracy": TARGET_ACCURACY,
        "limit_seconds": limit,
        "seeds": list(seeds),
        "held_out_images": sizes,
        "images": len(cohort),
        "trainings": {name: _by_seed(runs) for name, runs in trainings.items()},
    }


def _contestants(small: str, large: str, peers: Path | None) -> dict[str, list[str]]:
    """Name -> command without seed, target and limit; `small` has gray images of 96 pixels, `large` color of 299."""
    own = [sys.executable, str(HERE / "workloads" / "time_to_accuracy.py"), small]
    commands = {"firstread, phantom weights": [*own, "phantom"], "firstread, random weights": [*own, "none"]}
    if peers is not None:
        keras = [str(peers), str(HERE / "peers" / "keras_time_to_accuracy.py")]
        commands["Keras, firstread's network and phantom weights"] = [*keras, small, "regnetx_002", "phantom"]
        commands["Keras, residual network of that size, random weights"] = [*keras, small, "small_resnet", "none"]
        commands["Keras, the published recipe, random weights"] = [*keras, large, "inception_v3", "none"]
    return commands


def _write_backbone_weights(file: Path, classes: tuple[str, ...]) -> None:
    """Write the bundled weights of lesson 1's backbone as arrays with timm's names, for the peers."""
    model = fr.build_model("regnetx_002", classes=classes, size=96, weights="phantom")
    np.savez(file, **{name: tensor.numpy() for name, tensor in model.backbone.state_dict().items()})


def _by_seed(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """The measurements of all seeds, in order; those of a training that did not reach the target are missing."""
    return {
        "framework": runs[0]["framework"],
        "seconds_to_target": [
            None if run["seconds_to_target"] is None else round(run["seconds_to_target"], 2) for run in runs
        ],
        "epochs_to_target": [run["epochs_to_target"] for run in runs],
        "epochs": [run["epochs"] for run in runs],
        "best_accuracy": [round(run["best_accuracy"], 4) for run in runs],
        "peak_memory_mb": round(max(run["peak_memory_mb"] for run in runs)),
    }


def queue_throughput(*, quick: bool) -> dict[str, Any]:
    """Wall seconds of several trainings: one after another, at once with the training queue, at once without it.

    Without the queue they compete for the CPU, and are ended after twice the time with the queue.
    """
    count = 2 if quick else 3
    with tempfile.TemporaryDirectory() as folder:
        cohort = fr.open_dataset("mednist/rsna", split="random")
        cohort.where(cohort.table["split"].isin(["train", "validation"])).save(folder)
        command = [sys.executable, str(HERE / "workloads" / "mednist.py"), folder, "1", "1"]
        queue = str(Path(folder) / "line")
        sequential = sum(_wall_seconds(command, 1, queue) for _ in range(count))
        queued = _wall_seconds(command, count, queue)
        limit = 2 * queued
        unqueued = _wall_seconds(command, count, "off", limit_seconds=limit)
    return {
        "trainings": count,
        "seconds_one_after_another": round(sequential, 1),
        "seconds_in_line": round(queued, 1),
        "throughput_in_line": round(sequential / queued, 3),
        "seconds_without_line": round(unqueued, 1) if unqueued < limit else f"not done after {limit:.0f}",
    }


def _wall_seconds(command: list[str], count: int, queue: str, *, limit_seconds: float = float("inf")) -> float:
    """Wall seconds of `count` trainings at once; `limit_seconds` if they were ended then."""
    environment, begin = _environment() | {"FIRSTREAD_QUEUE": queue}, time.perf_counter()
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    processes = [subprocess.Popen(command, env=environment, **quiet) for _ in range(count)]
    while any(process.poll() is None for process in processes):
        if time.perf_counter() - begin > limit_seconds:
            for process in processes:
                process.kill()
                process.wait()
            return limit_seconds
        time.sleep(0.1)
    if failed := sum(process.returncode != 0 for process in processes):
        raise RuntimeError(f"{failed} of {count} trainings failed")
    return time.perf_counter() - begin


def _compare_with_peers(
    cohort: Any, lesson: str, peers: Path | None, peer_script: str, script: str, epochs: list[str], *, rounds: int
) -> dict[str, Any]:
    """Train every framework on the same images, in turn; each one's fastest round, with its share of peak FLOP/s."""
    _, size, channels, _ = ARCHITECTURES[lesson]
    with tempfile.TemporaryDirectory() as folder:
        _write_images(cohort, folder, size=size, channels=channels)
        loops = str(HERE / "peers" / "torch_loops.py")
        commands = {
            "firstread": [sys.executable, str(HERE / "workloads" / script), folder, *epochs],
            "firstread, float32": [sys.executable, str(HERE / "workloads" / script), folder, *epochs, "float32"],
            "plain PyTorch": [sys.executable, loops, folder, "torchvision", lesson, *epochs],
            "MONAI CacheDataset": [sys.executable, loops, folder, "monai", lesson, *epochs],
        }
        if peers is not None:
            peer = peer_script.split("_", maxsplit=1)[0]
            commands[peer] = [str(peers), str(HERE / "peers" / peer_script), folder, *epochs]
        trainings = [{name: _run_json(command) for name, command in commands.items()} for _ in range(rounds)]
    results = {}
    for name in commands:
        seconds = [training[name]["seconds_training"] for training in trainings]
        fastest = trainings[int(np.argmin(seconds))][name]
        results[name] = {**fastest, "seconds_of_rounds": [round(s, 1) for s in seconds]}
    _add_throughput(results, lesson, images=len(cohort.train) * np.array([int(n) for n in epochs]))
    return results


def _add_throughput(results: dict[str, dict[str, Any]], lesson: str, *, images: np.ndarray) -> None:
    """Add images per second, time relative to firstread, and share of peak FLOP/s; `images` are those of each phase."""
    backbone, size, channels, passes = ARCHITECTURES[lesson]
    peaks = {precision: matrix_peak_gflops(precision) for precision in ("float32", "bfloat16")}
    gflop = forward_gflop(backbone, size, channels)
    own_seconds = results["firstread"]["seconds_training"]
    for value in results.values():
        value["images_per_second"] = round(float(images.sum()) / value["seconds_training"], 1)
        value["times_as_long_as_firstread"] = round(value["seconds_training"] / own_seconds, 2)
        peak = peaks[value["precision"]]
        value["matrix_peak_gflop_per_second"] = round(peak)
        value["share_of_peak_by_phase"] = {
            phase: round(gflop * passes[phase] * int(count) / value["seconds_by_phase"][phase] / peak, 3)
            for phase, count in zip(("first", "more"), images, strict=True)
        }


def _write_images(cohort: Any, folder: str, *, size: int, channels: int) -> None:
    """Write training and validation images as arrays for the peers and as a cohort for firstread."""
    arrays = {}
    for part in ("train", "validation"):
        cases = cohort.subset(part)
        arrays |= {f"{part}_images": cases.images(size, channels=channels), f"{part}_targets": cases.targets}
    np.savez(Path(folder) / "images.npz", **arrays)
    cohort.save(folder)


def matrix_peak_gflops(precision: str) -> float:
    """Measured GFLOP/s of a 4096 matrix product."""
    import torch

    from firstread.learning.hardware import matmul_peak_gflops

    return matmul_peak_gflops(torch.bfloat16 if precision == "bfloat16" else torch.float32)


def forward_gflop(backbone: str, size: int, channels: int) -> float:
    """GFLOP of one image's forward pass through a backbone."""
    import timm
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    network = timm.create_model(backbone, num_classes=0, in_chans=channels).eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.zeros(1, channels, size, size))
    return counter.get_total_flops() / 1e9


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [str(HERE), os.environ.get("PYTHONPATH", "")]))}


def _run_json(command: list[str]) -> dict[str, Any]:
    """Run a timed script and parse the last line that it prints."""
    process = subprocess.run(command, capture_output=True, text=True, check=False, env=_environment())
    if process.returncode:
        raise RuntimeError(process.stderr.strip().splitlines()[-1] if process.stderr.strip() else "no message")
    return json.loads(process.stdout.strip().splitlines()[-1])
