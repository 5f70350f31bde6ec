"""Occlusion sensitivity, by MONAI. Source: Zeiler 2014, doi 10.1007/978-3-319-10590-1_53."""

import warnings

import numpy as np
import torch

from firstread.explanation.grad_cam import SignedLogits
from firstread.learning.models import Classifier


def compute_occlusion(model: Classifier, pixels: torch.Tensor, index: int) -> np.ndarray:
    """Occlusion sensitivity of output `index`: (1, C, S, S) pixels -> (S, S) drop of the score by covered patch."""
    from monai.visualize import OcclusionSensitivity

    sensitivity = OcclusionSensitivity(
        nn_module=SignedLogits(model),
        mask_size=max(8, model.size // 8),
        overlap=0.5,
        n_batch=model.inputs.inference_batch_size,
        mode="mean_patch",
        verbose=False,
    )
    with torch.inference_mode(), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # MONAI's way of indexing; its result is tested
        scores, _ = sensitivity(x=pixels)
        full_score = SignedLogits(model)(pixels)[0, index]
    drop = (full_score - scores[0, index]).clamp_min(0)[None, None]
    drop = torch.nn.functional.interpolate(drop, size=pixels.shape[2:], mode="bilinear", align_corners=False)
    return drop[0, 0].cpu().numpy()
