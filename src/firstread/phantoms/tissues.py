"""Tissue properties: Hounsfield units, and the X-ray attenuation that follows from them."""

#: typical Hounsfield units at about 120 kV, contrast phase portal venous for organs that enhance
HOUNSFIELD = {
    "air": -1000.0,
    "gas": -950.0,
    "lung": -840.0,
    "fat": -100.0,
    "water": 5.0,
    "csf": 8.0,
    "soft": 40.0,
    "bowel": 45.0,
    "white matter": 29.0,
    "gray matter": 39.0,
    "muscle": 58.0,
    "vessel": 70.0,
    "spleen": 110.0,
    "liver": 100.0,
    "blood": 130.0,
    "kidney": 160.0,
    "spongiosa": 210.0,
    "rib": 900.0,
    "bone": 700.0,
    "cortex": 1050.0,
    "metal": 3000.0,
}

#: linear attenuation coefficient of water at the mean energy of a diagnostic beam, about 60 keV (NIST), per millimetre
WATER_PER_MM = 0.0206


def attenuation_per_mm(tissue: str) -> float:
    """Linear attenuation coefficient of a tissue, by the definition of the Hounsfield unit."""
    return WATER_PER_MM * (1 + HOUNSFIELD[tissue] / 1000)
