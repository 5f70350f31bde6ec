"""Identity values in any element, at any depth, in any file that strangers send: gone or held back."""

import logging
import random
import warnings
from pathlib import Path

import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom import DataElement, Dataset
from pydicom.data import get_testdata_file
from pydicom.datadict import DicomDictionary
from pydicom.sequence import Sequence

from firstread.deidentification import Profile, deidentify_dataset, deidentify_file, verify

from .identified_files import KEYS, all_options, all_options_for, identified_ct, write
from .independent_search import find_values

TEXTS = {"PN", "LO", "SH", "ST", "LT", "UT", "UC", "CS", "AE", "UR"}
#: what makes the object: without these it is held back
OWN = {0x00080016, 0x00080018, 0x0020000D, 0x0020000E, 0x00100020, 0x00080060, 0x00080008, 0x00280301, 0x00080005}
HOLDERS = sorted(
    tag for tag, entry in DicomDictionary.items() if entry[0] in TEXTS and tag >> 16 >= 8 and tag not in OWN
)
SEQUENCES = sorted(tag for tag, entry in DicomDictionary.items() if entry[0] == "SQ" and tag >> 16 >= 8)
NAMES = st.text(st.sampled_from("bcdfghjklmnpqrstvwxzBCDFGHJKLMNPQRSTVWXZäöüéñ"), min_size=6, max_size=10)
FILES = (
    "CT_small.dcm",
    "MR_small.dcm",
    "JPEG2000.dcm",
    "rtstruct.dcm",
    "UN_sequence.dcm",
    "no_meta.dcm",
    "MR_small_RLE.dcm",
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=NAMES,
    holders=st.lists(st.sampled_from(HOLDERS), min_size=1, max_size=20, unique=True),
    nest=st.lists(st.sampled_from(SEQUENCES), max_size=5),
    words=st.sampled_from(["{}", "CT {} liver", "for {}", "{}_x"]),
)
def test_a_name_in_any_element_at_any_depth(name, holders, nest, words, tmp_path):
    dataset = identified_ct(SpecificCharacterSet="ISO_IR 192", PatientName=f"{name}^Q")
    inner = dataset
    for tag in nest:
        inner[tag] = DataElement(tag, "SQ", Sequence([Dataset()]))
        inner = inner[tag].value[0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for tag in holders:
            for holder in {id(dataset): dataset, id(inner): inner}.values():
                if tag not in holder and tag not in SEQUENCES:
                    holder.add_new(tag, DicomDictionary[tag][0], words.format(name))
        output = deidentify_dataset(dataset, profile=all_options(dataset), keys=KEYS).dataset
        path = write(output, tmp_path / "out" / "a.dcm")
    assert find_values(tmp_path / "out", [name]) == []
    path.unlink()


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(number=st.integers(10_000, 10**9), tag=st.sampled_from([0x00200011, 0x00201208, 0x00180050, 0x00280010]))
def test_an_identifier_as_a_number(number, tag):
    """SeriesNumber of a published file was its PatientID."""
    dataset = identified_ct(PatientID=str(number))
    if DicomDictionary[tag][0] in ("IS", "DS"):
        dataset.add_new(tag, DicomDictionary[tag][0], str(number))
        output = deidentify_dataset(dataset, profile=Profile(), keys=KEYS).dataset
        assert str(output[tag].value or "") != str(number)


def test_a_name_in_bytes_that_are_kept(tmp_path):
    dataset = identified_ct()
    dataset.ICCProfile = b"profile of Hidden"
    dataset.add_new(0x00282000, "OB", b"profile of Hidden ")
    output = deidentify_dataset(dataset, profile=Profile(), keys=KEYS).dataset
    write(output, tmp_path / "out" / "a.dcm")
    assert find_values(tmp_path / "out", ["Hidden"]) == []


@pytest.mark.parametrize("length", [16, 18])
def test_a_name_that_a_wrong_length_makes_part_of_a_number(length, tmp_path):
    """Found with damaged files: a list of floats that had swallowed the elements after it."""
    dataset = identified_ct(PixelSpacing=[1, 1])
    dataset.add_new(0x00189306, "FD", [0.5])  # single collimation width
    source = write(dataset, tmp_path / "in" / "a.dcm")
    header = b"\x18\0\x06\x93FD"
    value = b"Hidden^Harriet".ljust(length)
    data = source.read_bytes()
    place = data.index(header)
    source.write_bytes(data[:place] + header + length.to_bytes(2, "little") + value + data[place + 16 :])
    result = deidentify_file(source, tmp_path / "out", profile=Profile(), keys=KEYS)
    assert result.held is None
    assert find_values(tmp_path / "out", ["Hidden", "Harriet"]) == []


def test_a_name_behind_the_last_row_of_pixels_is_held_back():
    dataset = identified_ct(PixelData=bytes(8) + b"Hidden^Harriet")
    assert "pixel data hold" in deidentify_dataset(dataset, profile=Profile(), keys=KEYS).held


def test_a_name_in_a_comment_of_compressed_pixels_is_held_back():
    dataset = pydicom.dcmread(get_testdata_file("JPEG2000.dcm"))
    dataset.PatientName, dataset.PatientID = "Hidden^Harriet", "H-4711-0815"
    dataset.PixelData = dataset.PixelData[:-10] + b"Hidden    "
    assert "pixel data hold" in deidentify_dataset(dataset, profile=all_options(dataset), keys=KEYS).held


def test_the_original_is_not_changed():
    dataset = identified_ct()
    before = str(dataset)
    deidentify_dataset(dataset, profile=Profile(), keys=KEYS)
    assert str(dataset) == before


def mutants(count, seed):
    """Copies of published files with random bytes changed, cut or doubled, and a name planted in them."""
    choice = random.Random(seed)
    for number in range(count):
        name = FILES[number % len(FILES)]
        data = bytearray(Path(get_testdata_file(name)).read_bytes())
        for _ in range(choice.randint(1, 12)):
            place = choice.randrange(len(data))
            kind = choice.randrange(4)
            if kind == 0:
                data[place] = choice.randrange(256)
            elif kind == 1:
                del data[place : place + choice.randrange(1, 9)]
            elif kind == 2:
                data[place:place] = data[place : place + choice.randrange(1, 9)]
            else:
                del data[max(place, len(data) // 2) :]
        yield bytes(data)


@pytest.mark.parametrize("count", [60, pytest.param(2000, marks=pytest.mark.slow)])
def test_mutated_files_are_written_or_held_back(count, tmp_path, capfd, caplog):
    """No exception, no warning, no value in a message, whatever bytes are broken."""
    with caplog.at_level(logging.DEBUG), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for number, data in enumerate(mutants(count, seed=18)):
            source = tmp_path / f"{number}.dcm"
            source.write_bytes(data)
            result = deidentify_file(source, tmp_path / "out", profile=all_options_for(source), keys=KEYS)
            assert (result.output is None) == (result.held is not None)
            source.unlink()
    said = "".join(capfd.readouterr()) + caplog.text + "".join(str(warning.message) for warning in caught)
    assert not any(value in said for value in ("CompressedSamples", "4MR1", "1CT1", "Last^First"))


def test_verification_finds_what_is_left(tmp_path):
    """The verifier is shown outputs that are not clean, so that finding nothing means something."""
    original = write(identified_ct(), tmp_path / "in" / "a.dcm")
    left = [
        identified_ct(PatientName="P1", PatientID="P1", StudyDescription="Liver of Hidden"),
        identified_ct(PatientName="P1", PatientID="H-4711-0815"),
        identified_ct(PatientName="P1", RequestAttributesSequence=Sequence([Dataset()])),
    ]
    left[2].RequestAttributesSequence[0].RequestedProcedureDescription = "born 21.03.1970"
    for number, dataset in enumerate(left):
        write(dataset, tmp_path / "out" / f"{number}.dcm")
    (tmp_path / "out" / "run.log").write_text("read Hidden^Harriet")
    found = verify(original, tmp_path / "out")
    places = {(finding.file, finding.element, finding.kind) for finding in found.findings}
    assert not found.passed
    assert ("0.dcm", "(0008,1030)", "name") in places
    assert ("1.dcm", "(0010,0020)", "id") in places
    assert ("2.dcm", "(0040,0275)(0032,1060)", "birth_date") in places
    assert ("0.dcm", "(0020,000D)", "uid") in places
    assert ("run.log", "text", "name") in places
    assert "Hidden" not in repr(found) + found.report().html()
    assert "values were found" in found.report().html()


def test_nothing_to_search_is_no_pass(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "out").mkdir()
    assert not verify(tmp_path / "in", tmp_path / "out").passed
