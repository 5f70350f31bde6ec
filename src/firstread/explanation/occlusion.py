"""Occlusion sensitivity, by MONAI. Source: Zeiler 2014, doi 10.1007/978-3-319-10590-1_53."""

import warnings

import numpy as np
import torch

from firstread.explanation.grad_cam import SignedLogits
from firstread.learning.loop import images_at_once
from firstread.learning.models import Classifier


def occlusion(model: Classifier, pixels: torch.Tensor, index: int) -> np.ndarray:
    from monai.visualize import OcclusionSensitivity

    patch = max(8, model.size // 8)
    watch = OcclusionSensitivity(
        nn_module=SignedLogits(model),
        mask_size=patch,
        overlap=0.5,
        n_batch=images_at_once(model.size),
        mode="mean_patch",
        verbose=False,
    )
    with torch.inference_mode(), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # MONAI's way of indexing; its result is tested
        scores, _ = watch(x=pixels)
        whole = SignedLogits(model)(pixels)[0, index]
    lost = (whole - scores[0, index]).clamp_min(0)[None, None]
    lost = torch.nn.functional.interpolate(lost, size=pixels.shape[2:], mode="bilinear", align_corners=False)
    return lost[0, 0].numpy()
