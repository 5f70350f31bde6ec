"""Units of DICOM values: Hounsfield units for CT, what the file states for others."""

import pytest
from pydicom import Dataset
from pydicom.uid import CTImageStorage, SecondaryCaptureImageStorage

from firstread.dicom.pixel_units import pixel_unit


@pytest.mark.parametrize(
    ("tags", "unit"),
    [
        ({"Modality": "CT", "RescaleSlope": 1, "RescaleIntercept": -1024}, "HU"),
        ({"Modality": "CT", "SOPClassUID": CTImageStorage}, "HU"),
        ({"Modality": "CT", "RescaleSlope": 1, "RescaleIntercept": 0, "RescaleType": "HU"}, "HU"),
        ({"Modality": "CT", "RescaleSlope": 1, "RescaleIntercept": 0, "RescaleType": "MGML"}, "MGML"),
        ({"Modality": "CT", "RescaleSlope": 1, "RescaleIntercept": 0, "RescaleType": "US"}, ""),
        ({"Modality": "CT", "SOPClassUID": SecondaryCaptureImageStorage}, ""),
        ({"Modality": "CT", "RescaleSlope": 1, "RescaleIntercept": 0, "SamplesPerPixel": 3}, ""),
        ({"Modality": "PT", "Units": "BQML", "RescaleSlope": 1, "RescaleIntercept": 0}, "BQML"),
        ({"Modality": "PT", "Units": "GML"}, "GML"),
        ({"Modality": "PT"}, ""),
        ({"Modality": "MR", "RescaleSlope": 1, "RescaleIntercept": 0}, ""),
        ({"Modality": "MR", "RescaleType": "normalized"}, ""),
        ({}, ""),
    ],
)
def test_units(tags, unit):
    dataset = Dataset()
    for name, value in tags.items():
        setattr(dataset, name, value)
    assert pixel_unit(dataset) == unit
