"""A disc from another hospital: files named as DICOM media demand, and a DICOMDIR that repeats the names."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from pydicom import dcmread
from pydicom.fileset import FileSet
from pydicom.uid import UID, MediaStorageDirectoryStorage

from firstread.phantoms.archive.studies import Instance, Series, Study
from firstread.phantoms.archive.template_dataset import TemplateDataset

_NOTE = "case 13: a DICOMDIR repeats names beside the images (Kitware dicom-anonymizer 41; fo-dicom 751)"


def write_disc(folder: Path, study: Study, encoded: Iterable[bytes]) -> Iterator[tuple[str, Series, Instance]]:
    """Write the files of a study as a disc with a DICOMDIR (PS3.10 8.6, PS3.11).

    Args:
        folder: of the disc.
        study: whose files they are.
        encoded: its files as bytes.

    Returns:
        Path below `folder`, series and instance of each image, then of the DICOMDIR.
    """
    disc = FileSet()
    disc.ID, disc.UID = "CD", UID(study.make_uid("disc"))
    with TemporaryDirectory() as temporary:
        for number, data in enumerate(encoded):
            path = Path(temporary) / str(number)
            path.write_bytes(data)
            disc.add(path)
        disc.write(folder)
    known = {str(i.dataset.SOPInstanceUID): (series, i) for series in study.series for i in series.instances}
    for record in disc:
        yield Path(record.path).relative_to(folder).as_posix(), *known[str(record.SOPInstanceUID)]
    yield "DICOMDIR", Series("", 0, "", ""), _directory(folder, study)


def _directory(folder: Path, study: Study) -> Instance:
    """The DICOMDIR as an instance, so that the truth lists what stands in it."""
    dataset = TemplateDataset({element.tag: element for element in dcmread(folder / "DICOMDIR")})
    dataset.SOPClassUID, dataset.SOPInstanceUID = MediaStorageDirectoryStorage, study.make_uid("disc")
    return Instance(dataset, cases={"(0004,1220)": _NOTE}, needs_person=True)
