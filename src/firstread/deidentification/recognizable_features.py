"""Recognizable visual features: slices of a head, from which a face can be drawn in three dimensions.

A face drawn from MR has been matched with photographs (Schwarz 2019, doi 10.1056/NEJMc1908881). Nothing removes it
here: what shows one is counted and said in the report, and held back where the option asks for its removal.
"""

import re
from typing import TYPE_CHECKING

from firstread.dicom.pixel_elements import get_str

if TYPE_CHECKING:
    from pydicom import Dataset

#: CT, MR and PET, enhanced and not
_VOLUME_CLASSES = frozenset(
    f"1.2.840.10008.5.1.4.1.1.{ending}"
    for ending in ("2", "2.1", "2.2", "4", "4.1", "4.3", "4.4", "128", "128.1", "130")
)
_KEYWORDS = ("BodyPartExamined", "StudyDescription", "SeriesDescription", "ProtocolName")
_HEAD = re.compile(
    r"head|brain|skull|face|facial|orbit|sinus|cereb|neuro|stroke|jaw|dental|whole\s?body|"
    r"sch[aä]e?del|kopf|gesicht|hirn|cr[aâ]n|t[eê]te|cabe[zc]|capo|testa|encef|mozg|glow",
    re.IGNORECASE,
)
FACE_KEPT = "recognizable visual features kept"
HELD = (
    "A head in three dimensions shows a face, and firstread cannot remove it: remove it with a program made for that, "
    "or leave out the option clean_recognizable_visual_features"
)


def may_show_face(dataset: "Dataset") -> bool:
    """Whether an image is a slice or volume of a head, as far as body part and descriptions say.

    Example:
        >>> from pydicom import Dataset
        >>> image = Dataset()
        >>> image.SOPClassUID, image.StudyDescription = "1.2.840.10008.5.1.4.1.1.2", "CT Schädel nativ"
        >>> may_show_face(image)
        True
    """
    if str(dataset.get("SOPClassUID") or "") not in _VOLUME_CLASSES:
        return False
    return any(_HEAD.search(get_str(dataset, keyword) or "") for keyword in _KEYWORDS)
