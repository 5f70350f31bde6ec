"""Hounsfield units of the abdomen by tissue and contrast phase."""

from types import MappingProxyType

import numpy as np

#: phases of a scan of the liver, in the order of time
PHASES = ("unenhanced", "arterial", "portal", "delayed")

#: tissue -> HU unenhanced, arterial (about 35 s), portal venous (70 s) and delayed (3 min) at 120 kV; typical values of
#: adults, each patient differs by a few HU
_TABLE: dict[str, tuple[float, float, float, float]] = {
    "liver": (50, 66, 110, 90),
    "portal vein": (40, 85, 172, 118),
    "hepatic vein": (40, 50, 165, 116),
    "aorta": (41, 310, 155, 115),
    "vena cava": (38, 95, 142, 114),
    "blood": (40, 210, 150, 114),
    "spleen": (41, 110, 122, 98),
    "renal cortex": (28, 165, 185, 150),
    "renal medulla": (22, 62, 165, 155),
    "pancreas": (26, 85, 86, 66),
    "adrenal gland": (18, 65, 70, 55),
    "muscle": (38, 43, 51, 50),
    "bowel wall": (29, 68, 82, 70),
    "bowel contents": (14, 14, 14, 14),
    "gastric fluid": (10, 10, 10, 10),
    "stool": (-5, -5, -5, -5),
    "bile": (7, 7, 7, 8),
    "fat": (-104, -103, -101, -102),
    "skin": (10, 15, 25, 25),
    "lung": (-830, -820, -815, -820),
    "cartilage": (105, 108, 110, 110),
    "disc": (75, 76, 78, 78),
    "spongiosa": (135, 143, 152, 148),
    "cortex": (470, 470, 470, 470),
    "marrow": (140, 150, 160, 155),
    "csf": (14, 15, 16, 16),
    "gas": (-960, -960, -960, -960),
    "cyst": (8, 8, 8, 8),
    "haemangioma rim": (38, 190, 145, 118),
    "haemangioma centre": (38, 42, 72, 110),
    "table": (-180, -180, -180, -180),
}
HU_BY_PHASE = MappingProxyType(
    {phase: {name: row[i] for name, row in _TABLE.items()} for i, phase in enumerate(PHASES)}
)

#: how much of a lesion's drawn contrast (that of the portal phase) each phase shows: part -> one factor a phase.
#: Positive is darker than liver.
LESION_CONTRAST = MappingProxyType(
    {
        "metastasis rim": dict(zip(PHASES, (0.30, -0.30, 0.75, 0.45), strict=True)),
        "metastasis core": dict(zip(PHASES, (0.45, 0.55, 1.00, 0.75), strict=True)),
        "focal fat": dict(zip(PHASES, (0.85, 0.85, 1.00, 0.90), strict=True)),
    }
)


def draw_offsets(rng: np.random.Generator) -> dict[str, float]:
    """Deviation of one patient's tissues from the table in HU, the same in every phase."""
    sd = {"liver": 5.0, "spleen": 3.0, "muscle": 5.0, "fat": 3.0, "spongiosa": 22.0, "bowel contents": 6.0}
    offsets = {name: float(rng.normal(0, spread)) for name, spread in sd.items()}
    if rng.random() < 0.12:  # fatty liver
        offsets["liver"] -= float(rng.uniform(8, 25))
    return offsets


def tissue_values(phase: str, offsets: dict[str, float]) -> dict[str, float]:
    """HU of each tissue of one patient in one phase."""
    return {name: value + offsets.get(name, 0.0) for name, value in HU_BY_PHASE[phase].items()}
