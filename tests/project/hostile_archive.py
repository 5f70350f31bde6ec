"""An archive with identities wherever they can hide, and the project made of it, for the tests of its steps."""

import os

from deidentification.identified_files import identified_ct, write
from firstread.project.project import Project

PASSPHRASE = "four words of my own"
#: words of the archive that must stand nowhere in a project folder or an output of a command
IDENTITIES = (
    "hiddena",
    "hiddenb",
    "hiddenc",
    "hiddend",
    "harriet",
    "hid-",
    "hiddenburg",
    "rudolf",
    "acc99",
    "19700321",
)


def person(letter, image=0, **values):
    """A CT image of one of the invented people."""
    number = "abcdefgh".index(letter)
    given = {
        "PatientID": f"HID-{number}{number}{number}11",
        "PatientName": f"Hidden{letter}^Harriet",
        "StudyInstanceUID": f"1.2.{number}.1",
        "SeriesInstanceUID": f"1.2.{number}.2",
        "SOPInstanceUID": f"1.2.{number}.3.{image}",
    }
    return identified_ct(**{**given, **values})


def write_hostile_archive(folder, *, images=2):
    """Three people with CTs, and one of each trouble."""
    for letter in "abc":
        for image in range(images):
            write(person(letter, image), folder / f"Hidden{letter}^Harriet" / f"HID-{image}.dcm")
    write(person("d", 0), folder / "two" / "1.dcm")
    write(person("d", 1, PatientBirthDate="19650101", PatientName="Hiddend^Other"), folder / "two" / "2.dcm")
    write(person("e", 0, PatientID="", SOPInstanceUID="1.2.9.1"), folder / "nobody.dcm")
    write(person("a", 7), folder / "same" / "1.dcm")
    write(person("a", 7, PixelData=bytes(8)), folder / "same" / "2.dcm")
    write(person("b", 8), folder / "copy" / "1.dcm")
    write(person("b", 8), folder / "copy" / "2.dcm")
    ultrasound = person("c", 9, SOPClassUID="1.2.840.10008.5.1.4.1.1.6.1", Modality="US")
    write(ultrasound, folder / "us.dcm")
    write(person("b", 10, Modality="HIDDENB"), folder / "modality.dcm")
    (folder / "Hiddena^Harriet.dcm").write_bytes((folder / "us.dcm").read_bytes()[:300])
    (folder / "letter to Hiddena.txt").write_text("Hiddena^Harriet")
    (folder / os.fsdecode(b"M\xfcller.dcm")).write_bytes((folder / "us.dcm").read_bytes()[:200])
    (folder / "link.dcm").symlink_to(folder / "us.dcm")
    (folder / "loop").symlink_to(folder)
    (folder / "gone.dcm").symlink_to(folder / "nowhere")
    return folder


def make_project(base, **settings):
    """The project `base/liver` on the archive `base/archive`, its vault in `base/vault`."""
    archive = base / "archive"
    if not archive.exists():
        write_hostile_archive(archive, **settings)
    return Project.create(base / "liver", archive=archive, passphrase=PASSPHRASE, vault=base / "vault")[0]


def contents(folder):
    """Relative name -> bytes of all files below a folder, but for locks and what tells the time of day."""
    timed = {"state.json", "audit.jsonl"}
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name not in timed and not path.name.endswith(".lock")
    }
