"""Damaged copies of phantom and published files: written or held back; an independent search finds nothing of anybody.

The damage: bytes flipped, files cut, value representations and lengths changed, pieces left out or doubled. Identities
come from the whole files, as in an archive where one file of many is damaged.
"""

import logging
import random
import signal
import struct
import warnings

import pandas as pd
import pydicom
import pytest

from firstread.deidentification import Profile, deidentify_file, gather_identities
from firstread.phantoms.archive import write_archive

from .identified_files import KEYS
from .independent_search import find_values

#: what needs no person to look at pixels
PROFILE = Profile().with_options("clean_structured_content", "clean_graphics")
#: a file that takes longer hangs
LIMIT_SECONDS = 60
VRS = [b"UN", b"SQ", b"OB", b"LO", b"PN", b"US", b"DS", b"UT", b"ZZ"]


class Hang(BaseException):
    """Not an Exception, so that no reader swallows it."""


@pytest.fixture
def time_limit():
    def stop(*_):
        raise Hang

    before = signal.signal(signal.SIGALRM, stop)
    yield lambda seconds: signal.setitimer(signal.ITIMER_REAL, seconds)
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    return write_archive(tmp_path_factory.mktemp("archive") / "a", patients=1, processes=1, matrix=32, slices=8)


def headers_of(data):
    """Places of the headers of explicit elements: tag, two capitals, length."""
    return [
        place
        for place in range(132, min(len(data) - 8, 20_000), 2)
        if data[place + 4 : place + 6].isalpha() and data[place + 4 : place + 6].isupper()
    ]


def mutate(content, choice):
    data = bytearray(content)
    headers = headers_of(data) or [132]
    for _ in range(choice.choice([1, 1, 2, 5])):
        place = choice.choice(
            [choice.choice(headers), choice.randrange(min(len(data), 8000)), choice.randrange(len(data))]
        )
        place, kind = min(place, len(data) - 8), choice.randrange(6)
        if kind == 0:
            data[place] = choice.randrange(256)
        elif kind == 1:
            data[place + 4 : place + 6] = choice.choice(VRS)
        elif kind == 2:
            data[place + 6 : place + 8] = struct.pack("<H", choice.choice([0, 1, 7, 64, 0xFFFF]))
        elif kind == 3:
            del data[place : place + choice.randrange(1, 9)]
        elif kind == 4:
            data[place:place] = data[place : place + choice.randrange(1, 9)]
        else:
            del data[max(place, len(data) // 2) :]
    return bytes(data)


def phantom_sources(archive, count):
    """Files of as many kinds of object as there are, and the values that name the patient."""
    files = pd.read_parquet(archive / "truth" / "files.parquet").drop_duplicates(["sop_class_uid", "transfer_syntax"])
    identities = pd.read_parquet(archive / "truth" / "identities.parquet")
    values = {value for value in identities["value"] if len(value) > 5}
    return [archive / "dicom" / file for file in files["file"]][:count], values


def published_sources(shared_data, count):
    files = sorted((shared_data / "pydicom-tests").rglob("*.dcm")) + sorted((shared_data / "dcmqi").rglob("*.dcm"))
    files = [path for path in files if path.stat().st_size < 300_000][:: max(1, len(files) // count)]
    values = set()
    for path in files:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                header = pydicom.dcmread(path, stop_before_pixels=True)
            except Exception:  # some are made to break readers
                continue
        for keyword in ("PatientName", "PatientID", "AccessionNumber", "InstitutionName"):
            text = str(header.get(keyword) or "")
            values |= {text} if len(text) > 7 and " " not in text.strip() else set()
    return files, values


@pytest.mark.parametrize("count", [60, pytest.param(1000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("source", ["phantom", "published"])
def test_damaged_files(source, count, archive, shared_data, tmp_path, time_limit, capfd, caplog):
    files, values = phantom_sources(archive, 30) if source == "phantom" else published_sources(shared_data, 40)
    identities = gather_identities(files)
    choice = random.Random(f"{source} {count}")
    written, said = 0, []
    (tmp_path / "in").mkdir()
    with caplog.at_level(logging.DEBUG), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for number in range(count):
            damaged = tmp_path / "in" / f"{number}.dcm"
            damaged.write_bytes(mutate(files[number % len(files)].read_bytes(), choice))
            time_limit(LIMIT_SECONDS)
            result = deidentify_file(
                damaged, tmp_path / "out" / str(number), profile=PROFILE, keys=KEYS, identities=identities
            )
            time_limit(0)
            assert (result.output is None) != (result.held is None)
            written += result.output is not None
            said += [result.held or "", repr(result)]
            damaged.unlink()
    (tmp_path / "out" / "said.txt").write_text(
        "\n".join([*said, *capfd.readouterr(), caplog.text, *(str(warning.message) for warning in caught)])
    )
    assert find_values(tmp_path / "out", values) == []
    assert written > count // 20
