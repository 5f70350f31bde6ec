"""Profile of a training epoch: seconds by kind of operation."""

from collections import Counter
from typing import Any

import firstread as fr
import speed

#: kind of work -> torch operations; all other time, Python included, is "the rest"
OPERATIONS = {
    "convolutions forward": ("mkldnn_convolution",),
    "convolutions backward": ("convolution_backward", "mm"),
    "BatchNorm": ("native_batch_norm", "native_batch_norm_backward"),
    "ReLU": ("clamp_min_", "threshold_backward"),
    "pooling": ("max_pool2d_with_indices", "max_pool2d_with_indices_backward", "avg_pool2d", "avg_pool2d_backward"),
    "copies and sums": ("copy_", "cat", "add_", "fill_"),
    "optimiser": ("_fused_adam_", "_fused_adamw_"),
    "augmentation": ("grid_sampler_2d", "bmm"),
}


def profile(*, quick: bool) -> dict[str, Any]:
    """Profile one epoch of each phase of both published lessons, after a warm-up epoch."""
    openi = fr.open_dataset("hello-world/openi")
    rsna = fr.open_dataset("mednist/rsna", split="random")
    if quick:
        rsna = rsna.where(rsna.table.groupby(["label", "split"]).cumcount() < 20)
    first = fr.Augmentation(rotate_degrees=20, shift=0.1, zoom=0.1, shear_degrees=10, flip=True)
    second = fr.Augmentation(rotate_degrees=10, zoom=0.1, flip=True)
    one_cycle = {"batch_size": 64, "schedule": "one-cycle", "learning_rate": 3e-3}
    return {
        "lesson 1, frozen": _profile_epoch("hello-world", openi, augmentation=first, freeze=True),
        "lesson 1, unfrozen": _profile_epoch("hello-world", openi, augmentation=first),
        "lesson 2": _profile_epoch("mednist", rsna, augmentation=second, **one_cycle),
    }


def _profile_epoch(lesson: str, cohort: Any, *, freeze: bool = False, **settings: Any) -> dict[str, Any]:
    """Seconds by kind of operation, and throughput of convolutions compared with a matrix product."""
    import torch

    backbone, size, channels, _ = speed.ARCHITECTURES[lesson]
    model = fr.build_model(backbone, classes=cohort.classes, size=size, channels=channels, weights="none")
    settings |= {"freeze": freeze, "checkpoints": False, "quiet": True}
    run = fr.train(model, cohort, epochs=1, **settings)
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profiler:
        run = fr.train(model, cohort, epochs=1, resume=run, **settings)
    epoch_seconds = run.history[-1]["seconds"]
    kind_of = {f"aten::{name}": kind for kind, names in OPERATIONS.items() for name in names}
    seconds: Counter[str] = Counter()
    for event in profiler.key_averages():
        if event.key in kind_of:
            seconds[kind_of[event.key]] += event.self_cpu_time_total / 1e6
    precision = run.metadata["precision"]
    gflop = speed.forward_gflop(backbone, size, channels)
    forward = gflop * (len(cohort.train) + len(cohort.validation)) / seconds["convolutions forward"]
    backward = 2 * gflop * len(cohort.train) / seconds["convolutions backward"] if not freeze else None
    rest = round(epoch_seconds - seconds.total(), 2)
    return {
        "seconds": {**{kind: round(seconds[kind], 2) for kind in OPERATIONS}, "the rest": rest},
        "whole": round(epoch_seconds, 2),
        "precision": precision,
        "gflop_per_second": {
            "convolutions forward": round(forward),
            "convolutions backward": backward and round(backward),
            "4096 matrix product": round(speed.matrix_peak_gflops(precision)),
        },
    }
