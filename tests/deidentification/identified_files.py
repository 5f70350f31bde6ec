"""DICOM objects that name an invented patient, for the tests of de-identification."""

from dataclasses import replace

from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from firstread.core.errors import DataError
from firstread.deidentification import Profile, PseudonymKeys, review_class
from firstread.deidentification.identity_index import readable_datasets

KEYS = PseudonymKeys.from_secret(bytes(range(32)))
UIDS = {"study": "1.2.3.1", "series": "1.2.3.2", "instance": "1.2.3.3"}


def identified_ct(**values):
    """A CT image of two by two pixels of Hidden^Harriet, id H-4711-0815, born 21 March 1970."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID = CTImageStorage
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.SOPInstanceUID = UIDS.values()
    dataset.FrameOfReferenceUID = "1.2.3.4"
    dataset.Modality = "CT"
    dataset.PatientName, dataset.PatientID = "Hidden^Harriet", "H-4711-0815"
    dataset.PatientBirthDate, dataset.PatientSex, dataset.PatientAge = "19700321", "F", "054Y"
    dataset.AccessionNumber, dataset.InstitutionName = "ACC990011", "Hiddenburg Hospital"
    dataset.ReferringPhysicianName = "Referrer^Rudolf"
    dataset.StudyDate, dataset.StudyTime = "20240331", "235930"
    dataset.Rows = dataset.Columns = 2
    dataset.SamplesPerPixel, dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 1, 16, 16, 15
    dataset.PixelRepresentation, dataset.PhotometricInterpretation = 0, "MONOCHROME2"
    dataset.PixelData = bytes(range(8))
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    return dataset


def item(**values):
    """A sequence item."""
    dataset = Dataset()
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    return dataset


def sequence(*items):
    return Sequence(list(items))


def write(dataset, path):
    """Write a dataset as a file; returns the path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset.save_as(path, enforce_file_format=True)
    return path


def all_options(*datasets):
    """Default options and those that keep objects from being held back for their class; datasets are as reviewed."""
    profile = Profile().with_options("clean_structured_content", "clean_graphics", "clean_pixel_data")
    return replace(profile, reviewed=frozenset(map(review_class, datasets)))


def all_options_for(path):
    """The same for a file, which may be none that can be read."""
    try:
        return all_options(*(dataset for _, dataset in readable_datasets([path])))
    except DataError:  # of a damaged header
        return all_options()
