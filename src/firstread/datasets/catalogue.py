"""Catalogue of named data sets: origin, license, citation, URLs, checksums."""

from dataclasses import dataclass, field
from importlib.resources import files

from firstread.core.errors import SettingError, suggest
from firstread.core.provenance import Origin
from firstread.phantoms import MEDNIST_CLASSES

HELLO_WORLD_CLASSES = ("abdomen", "chest")

_LAKHANI = "Lakhani 2018, J Digit Imaging 31:283, doi 10.1007/s10278-018-0079-6"
_ERICKSON = "Erickson 2019, Radiol Artif Intell 1(4):e190072, doi 10.1148/ryai.2019190072"
_OPENI_URL = "https://raw.githubusercontent.com/wfwiggins/Hello_World_Deep_Learning/ef91d266630768a5f6f2461c78abd6272fa53bd3/data/"
_RSNA_URL = (
    "https://raw.githubusercontent.com/RSNA/MagiciansCorner/55fab6920f47055cac217a0da3aa1f13310d5196/MedNIST.zip"
)
_MONAI_URL = "https://github.com/Project-MONAI/MONAI-extra-test-data/releases/download/0.8.1/MedNIST.tar.gz"
_MONAI_CLASSES = tuple("hand radiograph" if name == "brain MR" else name for name in MEDNIST_CLASSES)
_MEDNIST_LICENSE = "CC BY-SA 4.0 (images from TCIA, the RSNA bone age challenge and the NIH chest radiographs)"


@dataclass(frozen=True)
class NamedDataset:
    """Catalogue entry of a named data set.

    Attributes:
        name: the argument of `open_dataset`.
        origin: name, licence and citation, as shown in reports.
        classes: in the order of a network's outputs.
        folder: its folder under the data folder, and under a mirror.
        factory: for phantoms, the name of the function in `firstread.phantoms.teaching_sets` that simulates it.
        urls: file in `folder` -> URL.
        checksums: file in `folder` -> "sha256:..." or "md5:...".
        archive: the one file to extract, or empty.
        class_folders: name of a folder (or of a file without its extension) -> class.
        fractions: shares of training, validation and test, for data published without a split.
        megabytes: size of the download.
    """

    name: str
    origin: Origin
    classes: tuple[str, ...]
    folder: str
    factory: str = ""
    urls: dict[str, str] = field(default_factory=dict, repr=False)
    checksums: dict[str, str] = field(default_factory=dict, repr=False)
    archive: str = ""
    class_folders: dict[str, str] = field(default_factory=dict)
    fractions: tuple[float, float, float] | None = None
    megabytes: float = 0.0


def _read_checksums(name: str) -> dict[str, str]:
    text = (files("firstread.datasets") / "checksums" / name).read_text(encoding="utf-8")
    rows = (line.split(maxsplit=1) for line in text.splitlines() if line.strip())
    return {file.strip(): f"sha256:{checksum}" for checksum, file in rows}


def _pair_folders(folders: tuple[str, ...], classes: tuple[str, ...]) -> dict[str, str]:
    return dict(zip(folders, classes, strict=True))


_OPENI_CHECKSUMS = _read_checksums("hello-world-openi.txt")

_NAMED_DATASETS = (
    NamedDataset(
        "hello-world",
        Origin(
            "hello-world",
            "phantom radiographs of the chest and the abdomen, simulated by firstread",
            "Apache-2.0",
            f"after {_LAKHANI}",
        ),
        HELLO_WORLD_CLASSES,
        "hello-world",
        factory="make_hello_world",
    ),
    NamedDataset(
        "mednist",
        Origin(
            "mednist",
            "phantom CT, MR and radiographs in six classes, simulated by firstread",
            "Apache-2.0",
            f"after {_ERICKSON}",
        ),
        MEDNIST_CLASSES,
        "mednist",
        factory="make_mednist",
    ),
    NamedDataset(
        "liver-phantoms",
        Origin(
            "liver-phantoms",
            "100 phantom patients with abdominal CT in the portal phase and masks of the liver, simulated by firstread",
            "Apache-2.0",
            "after Montagnon 2020, Insights Imaging 11:22, doi 10.1186/s13244-019-0832-5",
        ),
        (),
        "liver-phantoms",
        factory="make_liver_phantoms",
    ),
    NamedDataset(
        "dicom-patient",
        Origin(
            "dicom-patient",
            "16 DICOM files of one invented patient: CT, radiograph, ultrasound, captured screen, letter",
            "Apache-2.0",
            "the cases are those of public reports, named in firstread's documentation of phantom archives",
        ),
        (),
        "dicom-patient",
        factory="make_dicom_patient",
    ),
    NamedDataset(
        "archive-pile",
        Origin(
            "archive-pile",
            "60 CT series of 24 invented patients with faults as archives hold them, and 120 patients' liver slices",
            "Apache-2.0",
            "the faults are those of public reports, named in firstread's documentation of phantom archives",
        ),
        (),
        "archive-pile",
        factory="make_archive_pile",
    ),
    NamedDataset(
        "hello-world/openi",
        Origin(
            "hello-world/openi",
            "65 training, 10 validation and 2 test radiographs of the published lesson, from NIH Open-i",
            "NIH Open-i terms of use; see the address",
            f"{_LAKHANI}; Wiggins 2021, J Digit Imaging 34:1026, doi 10.1007/s10278-021-00492-9",
            "https://github.com/wfwiggins/Hello_World_Deep_Learning",
        ),
        HELLO_WORLD_CLASSES,
        "hello-world-openi",
        urls={file: _OPENI_URL + file for file in _OPENI_CHECKSUMS},
        checksums=_OPENI_CHECKSUMS,
        class_folders={"abd": "abdomen", "chst": "chest", "abd_test": "abdomen", "chest_test": "chest"},
        megabytes=14,
    ),
    NamedDataset(
        "mednist/rsna",
        Origin(
            "mednist/rsna",
            "six classes of 300 images of 64 pixels, as published with the Magician's Corner",
            _MEDNIST_LICENSE,
            _ERICKSON,
            "https://github.com/RSNA/MagiciansCorner",
        ),
        MEDNIST_CLASSES,
        "mednist-rsna",
        urls={"MedNIST.zip": _RSNA_URL},
        checksums={"MedNIST.zip": "sha256:8a031a668f94632f2bb612f35b7a352ada296efce77ff5bbc0bfb0b5f7e9f365"},
        archive="MedNIST.zip",
        class_folders=_pair_folders(("CTAbd", "CTChest", "CTHead", "CXR", "MRBrain", "MRBreast"), MEDNIST_CLASSES),
        fractions=(0.8, 0.2, 0.0),
        megabytes=2,
    ),
    NamedDataset(
        "mednist/monai",
        Origin(
            "mednist/monai",
            "six classes of about 10,000 images of 64 pixels, with hand radiographs in place of brain MR",
            _MEDNIST_LICENSE,
            "gathered by B. J. Erickson, Mayo Clinic; archive of the MONAI project",
            "https://github.com/Project-MONAI/tutorials",
        ),
        _MONAI_CLASSES,
        "mednist-monai",
        urls={"MedNIST.tar.gz": _MONAI_URL},
        checksums={"MedNIST.tar.gz": "md5:0bc7306e7427e00ad1c5526a6677552d"},
        archive="MedNIST.tar.gz",
        class_folders=_pair_folders(("AbdomenCT", "ChestCT", "HeadCT", "CXR", "Hand", "BreastMRI"), _MONAI_CLASSES),
        fractions=(0.8, 0.1, 0.1),
        megabytes=62,
    ),
)

#: name -> entry, for every data set that `open_dataset` opens by name
CATALOGUE: dict[str, NamedDataset] = {entry.name: entry for entry in _NAMED_DATASETS}


def find_named_dataset(name: str) -> NamedDataset:
    """Look up a named data set in the catalogue.

    Raises:
        SettingError: there is no data set of this name; the most similar name is suggested.
    """
    try:
        return CATALOGUE[name]
    except KeyError:
        raise SettingError(
            f'There is no data set called "{name}" and no folder or file of that name.{suggest(name, CATALOGUE)}',
            do="check the spelling, or give the path of a folder",
        ) from None
