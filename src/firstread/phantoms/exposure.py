"""Exposure of a radiograph: scatter, photon noise and detector blur, then the tone curve that displays it."""

import numpy as np
from scipy.ndimage import gaussian_filter

#: attenuation above which a ray has met the patient
_BODY_ATTENUATION = 0.25


def expose(attenuation: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Add scatter, photon noise and detector blur to line integrals (H, H); returns what the detector measures."""
    scatter = gaussian_filter(np.exp(-attenuation), attenuation.shape[0] / 14)
    scatter_fraction = rng.uniform(0.05, 0.3)
    photons = 10 ** rng.uniform(3.9, 4.9)
    beam = (1 - scatter_fraction) * np.exp(-attenuation) + scatter_fraction * scatter
    counts = rng.poisson(np.clip(beam / np.median(beam), 0, 60) * photons * 0.25) / photons
    blurred = gaussian_filter(counts, rng.uniform(0.4, 0.9))
    return -np.log(np.clip(blurred, 1e-5, None))


def display(measured: np.ndarray, attenuation: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, float]:
    """Map what the detector measured to gray values, 0 to 1, as a processing station does: nothing burns out.

    Local contrast is raised, the darkest and brightest few thousandths become black and white, and a power curve puts
    the median of the patient where a reader wants it. Its range follows published radiographs, which come from many
    machines, printers and scanners.

    Args:
        measured: (H, H), from `expose`.
        attenuation: (H, H), line integrals; says which pixels show the patient.
        rng: for the processing.

    Returns:
        The image (H, H), and the exponent of its power curve.
    """
    detail, reach = rng.uniform(0.45, 0.95), measured.shape[0] / rng.uniform(6, 16)
    equalized = measured - detail * gaussian_filter(measured, reach)
    low, high = np.percentile(equalized, [rng.uniform(0.3, 3.0), rng.uniform(99.5, 99.9)])
    image = np.clip((equalized - low) / max(high - low, 1e-6), 0, 1)
    patient = image[attenuation > _BODY_ATTENUATION]
    median = float(np.clip(np.median(patient if len(patient) else image), 0.05, 0.95))
    gamma = float(np.clip(np.log(rng.uniform(0.3, 0.74)) / np.log(median), 0.4, 2.5))
    black, white = rng.uniform(0.0, 0.1), rng.uniform(0.66, 0.99)
    return black + (white - black) * image**gamma, gamma
