"""Raw elements are written to the bytes that pydicom writes, whatever the transfer syntax."""

import io
from pathlib import Path

import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import Dataset
from pydicom.data import get_testdata_file
from pydicom.tag import BaseTag

from firstread.dicom.headers import DEFLATED_SYNTAXES, _may_be_deflated
from firstread.dicom.raw_elements import encode_elements, raw_texts, read_texts, save_dataset, text_element

FILES = [
    "CT_small.dcm",
    "MR_small_implicit.dcm",
    "MR_small_bigendian.dcm",
    "JPEG2000.dcm",
    "MR_small_RLE.dcm",
    "image_dfl.dcm",
    "rtplan.dcm",
    "reportsi.dcm",
]


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_written_as_pydicom_writes_it(name, tmp_path):
    path = get_testdata_file(name)
    expected = io.BytesIO()
    pydicom.dcmread(path).save_as(expected, enforce_file_format=True)
    dataset = pydicom.dcmread(path)
    dataset.file_meta = _needed_meta(dataset)
    dataset.preamble = bytes(128)
    save_dataset(dataset, tmp_path / "out.dcm")
    written = pydicom.dcmread(tmp_path / "out.dcm")
    assert written == pydicom.dcmread(io.BytesIO(expected.getvalue()))
    again = io.BytesIO()
    dataset.save_as(again, enforce_file_format=True)
    assert (tmp_path / "out.dcm").read_bytes() == again.getvalue()


def _needed_meta(dataset):
    meta = pydicom.dataset.FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = dataset.SOPClassUID, dataset.SOPInstanceUID
    meta.TransferSyntaxUID = dataset.file_meta.TransferSyntaxUID
    return meta


@given(
    st.sampled_from(
        [("LO", 0x00081030), ("UI", 0x00080018), ("CS", 0x00080008), ("PN", 0x00100010), ("LT", 0x00104000)]
    ),
    st.lists(st.text(st.characters(codec="ascii", exclude_characters="\\\0\x1b"), max_size=20), min_size=1, max_size=3),
    st.booleans(),
)
def test_texts_come_back_as_they_went_in(kind, texts, implicit):
    vr, tag = kind
    texts = [text.strip() for text in (texts[:1] if vr == "LT" else texts)]
    element = text_element(BaseTag(tag), vr, texts, encoding=(implicit, True))
    assert len(element.value) % 2 == 0
    assert "\\".join(raw_texts(element, vr)).rstrip("\\") == "\\".join(texts).rstrip("\\")
    encoded = b"".join(encode_elements({element.tag: element}, encoding=(implicit, True), character_set="iso8859"))
    dataset = Dataset()
    dataset[tag] = element
    assert len(encoded) == 8 + len(element.value)
    assert read_texts(dataset, tag) == [text for text in texts if text]


def test_text_outside_of_ascii_is_left_to_pydicom():
    assert text_element(BaseTag(0x00100010), "PN", ["Müller"], encoding=(False, True)) is None


@pytest.mark.parametrize("name", ["CT_small.dcm", "image_dfl.dcm", "JPEG2000.dcm"])
def test_no_deflated_file_is_taken_for_another(name, tmp_path):
    """Also where the length of the file meta information is wrong, or an element in it is."""
    data = Path(get_testdata_file(name)).read_bytes()
    deflated = any(syntax.encode() in data[:1000] for syntax in DEFLATED_SYNTAXES)
    assert _may_be_deflated(get_testdata_file(name)) == deflated
    for place, wrong in ((140, b"\x10\0\0\0"), (152, b"\xff\xff"), (128, b"XXXX"), (140, b"\xff\xff\xff\x7f")):
        path = tmp_path / "wrong.dcm"
        path.write_bytes(data[:place] + wrong + data[place + len(wrong) :])
        assert _may_be_deflated(path)
