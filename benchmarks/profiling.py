"""Where the seconds of an epoch go, by kind of work: what holds the speed of a training."""

from collections import Counter
from typing import Any

import firstread as fr
import speed

#: operation of torch's -> kind of work; what is not here is "the rest", Python included
KINDS = {
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
    """One epoch of each phase of both published lessons, after one that is not counted."""
    openi = fr.open_dataset("hello-world/openi")
    rsna = fr.open_dataset("mednist/rsna", split="random")
    if quick:
        rsna = rsna.where(rsna.table.groupby(["label", "split"]).cumcount() < 20)
    turned = fr.Augmentation(rotate_degrees=20, shift=0.1, zoom=0.1, shear_degrees=10, flip=True)
    wheel = {"batch_size": 64, "schedule": "one-cycle", "learning_rate": 3e-3}
    return {
        "lesson 1, frozen": _epoch("hello-world", openi, augmentation=turned, freeze=True),
        "lesson 1, unfrozen": _epoch("hello-world", openi, augmentation=turned),
        "lesson 2": _epoch(
            "mednist", rsna, augmentation=fr.Augmentation(rotate_degrees=10, zoom=0.1, flip=True), **wheel
        ),
    }


def _epoch(work: str, cohort: Any, *, freeze: bool = False, **settings: Any) -> dict[str, Any]:
    """Seconds by kind, their sum, and how fast convolutions were beside a matrix product."""
    import torch

    backbone, size, channels, _ = speed.ARCHITECTURES[work]
    model = fr.build_model(backbone, classes=cohort.classes, size=size, channels=channels, weights="none")
    settings |= {"freeze": freeze, "checkpoints": False, "quiet": True}
    run = fr.train(model, cohort, epochs=1, **settings)
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as seen:
        run = fr.train(model, cohort, epochs=1, resume=run, **settings)
    whole = run.history[-1]["seconds"]
    of = {f"aten::{name}": kind for kind, names in KINDS.items() for name in names}
    seconds: Counter[str] = Counter()
    for event in seen.key_averages():
        if event.key in of:
            seconds[of[event.key]] += event.self_cpu_time_total / 1e6
    precision = run.facts["precision"]
    once = speed._gflop(backbone, size, channels)
    forward = once * (len(cohort.train) + len(cohort.validation)) / seconds["convolutions forward"]
    backward = 2 * once * len(cohort.train) / seconds["convolutions backward"] if not freeze else None
    return {
        "seconds": {**{kind: round(seconds[kind], 2) for kind in KINDS}, "the rest": round(whole - seconds.total(), 2)},
        "whole": round(whole, 2),
        "precision": precision,
        "gflop_per_second": {
            "convolutions forward": round(forward),
            "convolutions backward": backward and round(backward),
            "4096 matrix product": round(speed.matrix_peak_gflops(precision)),
        },
    }
