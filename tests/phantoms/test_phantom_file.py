"""Phantom files: what is written is read, one simulation a volume, and a hostile file is refused in a sentence."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstread.core.errors import DataError, SettingError
from firstread.phantoms import phantom_file
from firstread.phantoms.abdomen import ABDOMEN_VERSION, LABELS, AbdomenPatient, label_map, simulate_ct
from firstread.phantoms.phantom_file import (
    MAX_FILE_BYTES,
    PhantomScan,
    read_image,
    read_phantom_file,
    read_volume,
    write_phantom_file,
)

SMALL = {"size_zyx": (10, 40, 40), "spacing_mm_zyx": (19.0, 9.5, 9.5)}
SCAN = PhantomScan(11, **SMALL)


def write(path, **changes):
    write_phantom_file(path, SCAN)
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    return path


@pytest.mark.parametrize("shows", phantom_file.SHOWS)
def test_a_file_is_read_as_what_it_stands_for(tmp_path, shows):
    scan = PhantomScan(11, shows=shows, phase="arterial", lesion_count=2, **SMALL)
    path = write_phantom_file(tmp_path / "a.phantom", scan)
    assert path.stat().st_size < 500
    assert path.read_text().startswith('{"firstread": "phantom"')
    assert read_phantom_file(path) == scan
    volume = read_volume([path])
    assert volume.geometry.size_zyx == (10, 40, 40)
    assert (volume.unit, volume.values.dtype) == (("HU", np.int16) if shows == "ct" else ("", np.uint8))
    assert volume.values.max() > 0


def test_the_volume_is_that_of_the_patient(tmp_path):
    patient = AbdomenPatient.draw(11)
    grid = patient.geometry(SMALL["size_zyx"], spacing_mm_zyx=SMALL["spacing_mm_zyx"])
    path = write_phantom_file(tmp_path / "a.phantom", SCAN)
    read = read_volume([path])
    assert np.array_equal(read.values, simulate_ct(patient, geometry=grid).values)
    assert read.geometry == grid
    mask = write_phantom_file(tmp_path / "b.phantom", PhantomScan(11, shows="labels", **SMALL))
    assert np.array_equal(read_volume([mask]).values, label_map(patient, geometry=grid).values)


def test_a_slice_is_shown_with_the_front_at_the_top_and_the_right_at_the_left(tmp_path):
    path = write_phantom_file(tmp_path / "a.phantom", SCAN)
    scan, labels = SCAN.volume(), PhantomScan(11, shows="labels", **SMALL).volume()
    pixels = read_image(path, frame=6, window="abdomen")
    assert (pixels.dtype, pixels.shape) == (np.uint8, (40, 40))
    liver_columns = np.argwhere(labels.values[6] == LABELS["liver"])[:, 1]
    assert liver_columns.mean() < 19
    assert np.array_equal(pixels, scan.shown("abdomen")[6])
    assert np.array_equal(read_image(path), scan.shown()[5])
    back_muscles = np.argwhere(labels.values[6] == LABELS["back muscles"])
    assert back_muscles[:, 0].mean() > 24


def test_all_slices_of_a_volume_cost_one_simulation(tmp_path, monkeypatch):
    calls = []
    monkeypatch.setattr(phantom_file, "simulate_ct", lambda *a, **k: calls.append(1) or simulate_ct(*a, **k))
    path = write_phantom_file(tmp_path / "a.phantom", PhantomScan(987, **SMALL))
    for frame in range(10):
        read_image(path, frame=frame)
    read_volume([path])
    assert calls == [1]


def test_what_is_read_can_be_changed_without_changing_what_is_read_next(tmp_path):
    path = write_phantom_file(tmp_path / "a.phantom", SCAN)
    pixels, volume = read_image(path), read_volume([path])
    pixels[:], volume.values[:] = 0, 0
    assert read_image(path).any()
    assert read_volume([path]).values.any()
    with pytest.raises(ValueError, match="read-only"):
        SCAN.volume().values[:] = 0


def test_a_file_of_another_version_is_refused(tmp_path):
    for version in (ABDOMEN_VERSION + 1, str(ABDOMEN_VERSION), True if ABDOMEN_VERSION == 1 else 1.5, None):
        with pytest.raises(DataError, match="another version"):
            read_volume([write(tmp_path / "a.phantom", version=version)])


WRONG = {
    "seed": (-1, 2**60, True, "7", None, 1.5),
    "size_zyx": ([1024, 1024, 1024], [0, 9, 9], [9, 9], "999", [1e300, 9, 9], {"0": 1}, [True, 9, 9]),
    "spacing_mm_zyx": ([0, 1, 1], [1, 1, 1e9], [[1], 1, 1], None),
    "phase": ("venous", ["portal"], "x" * 500),
    "shows": (None, 3),
    "lesion_count": (21, -1, "all"),
    "anatomy": ("knee", ["abdomen"]),
    "firstread": ("run",),
    "folder": ("/etc",),
    "__class__": ("x",),
}


@pytest.mark.parametrize("changes", [{name: value} for name, values in WRONG.items() for value in values], ids=str)
def test_a_value_out_of_range_is_refused_before_anything_is_simulated(tmp_path, changes, monkeypatch):
    monkeypatch.setattr(phantom_file, "_simulate", lambda scan: pytest.fail("was simulated"))
    with pytest.raises(DataError, match=r"a\.phantom"):
        read_volume([write(tmp_path / "a.phantom", **changes)])


NO_PHANTOM_FILES = {
    "no object": (b"", b"[]", b"7", b"null", b"\xff\xfe", b"\x00" * 100),
    "deep": (b"[" * 4000, b'{"a":' * 800),
    "long": (b" " * (MAX_FILE_BYTES + 1), b'{"seed": ' + b"9" * 4000 + b"}"),
    "doubtful": (b'{"seed": NaN}', b'{"seed": 1, "seed": 2}'),
}


@pytest.mark.parametrize("data", [data for files in NO_PHANTOM_FILES.values() for data in files], ids=len)
def test_what_is_no_phantom_file_is_refused(tmp_path, data):
    path = tmp_path / "a.phantom"
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"a\.phantom"):
        read_image(path)


@given(
    st.binary(max_size=300)
    | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(json.dumps).map(str.encode)
)
def test_any_bytes_are_refused_as_data_errors(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("any") / "a.phantom"
    path.write_bytes(data)
    with pytest.raises(DataError):
        read_phantom_file(path)


def test_missing_files_and_wrong_slices_are_named(tmp_path):
    with pytest.raises(DataError, match="missing or cannot be read"):
        read_image(tmp_path / "none.phantom")
    with pytest.raises(DataError, match="missing or cannot be read"):
        read_image(tmp_path)
    path = write_phantom_file(tmp_path / "a.phantom", SCAN)
    for frame in (-1, 10):
        with pytest.raises(DataError, match="the volume has 10"):
            read_image(path, frame=frame)
    with pytest.raises(DataError, match="a list of one path"):
        read_volume([path, path])
    with pytest.raises(SettingError, match=r"ends in \.phantom"):
        write_phantom_file(tmp_path / "a.json", SCAN)
