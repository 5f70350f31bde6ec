"""Image files as 8-bit pixels and as volumes; a DataError for anything else."""

import inspect

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from firstread.core import registry
from firstread.core.errors import DataError, FirstreadError, MissingDependencyError
from firstread.core.images import (
    ImageInfo,
    Reader,
    read_image,
    read_info,
    read_volume,
    resize_square,
    sniff_format,
    to_grayscale,
)
from firstread.core.registry import find_registered, registered
from firstread.core.windows import scale_to_8_bit
from firstread.readers import pillow

RAMP = np.arange(256, dtype=np.uint8).reshape(16, 16)


def save(path, pixels, **options):
    Image.fromarray(pixels).save(path, **options)
    return path


@pytest.mark.parametrize("ending", ["png", "tif", "bmp"])
def test_gray_comes_back_as_it_was(tmp_path, ending):
    assert np.array_equal(read_image(save(tmp_path / f"a.{ending}", RAMP)), RAMP)


def test_colour_that_is_gray_becomes_gray_and_real_colour_stays(tmp_path):
    gray = np.stack([RAMP] * 3, axis=-1)
    assert read_image(save(tmp_path / "gray.png", gray)).shape == (16, 16)
    colour = gray.copy()
    colour[0, 0] = (255, 0, 0)
    assert read_image(save(tmp_path / "colour.png", colour)).tolist() == colour.tolist()


def test_sixteen_bits_are_stretched_to_eight(tmp_path):
    image = read_image(save(tmp_path / "deep.png", (RAMP.astype(np.uint16) + 1000) * 16))
    assert (image.dtype, image.min(), image.max()) == (np.uint8, 0, 255)


def test_a_float_tiff_with_holes_is_read(tmp_path):
    pixels = RAMP.astype(np.float32)
    pixels[0, 0] = np.nan
    assert read_image(save(tmp_path / "f.tif", pixels)).max() == 255


def test_pages_of_a_tiff(tmp_path):
    pages = [Image.fromarray(np.full((4, 4), value, np.uint8)) for value in (1, 2)]
    pages[0].save(tmp_path / "p.tif", save_all=True, append_images=pages[1:])
    assert read_image(tmp_path / "p.tif", frame=1)[0, 0] == 2
    with pytest.raises(DataError, match="no frame 2: the file has 2"):
        read_image(tmp_path / "p.tif", frame=2)


def test_the_name_does_not_matter(tmp_path):
    save(tmp_path / "a.png", RAMP).rename(tmp_path / "a.dcm")
    assert np.array_equal(read_image(tmp_path / "a.dcm"), RAMP)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"hello, I am a text", "not an image"),
        (b"PK\x03\x04zip", "ZIP archive"),
        (b"\x89PNG\r\n", "cut short"),
    ],
)
def test_what_is_no_image_is_told_in_a_sentence(tmp_path, content, words):
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(DataError, match=words) as error:
        read_image(tmp_path / "a.png")
    assert "a.png" in str(error.value)


def test_missing_files_and_folders(tmp_path):
    for path in (tmp_path / "nothing.png", tmp_path):
        with pytest.raises(DataError, match="cannot be opened"):
            read_image(path)


def test_an_image_of_too_many_pixels_is_not_decoded(tmp_path, monkeypatch):
    monkeypatch.setattr(pillow, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(DataError, match="more than firstread decodes"):
        read_image(save(tmp_path / "a.png", RAMP))


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"\x08\x00\x05\x00CS\x0a\x00ISO_IR 100", "dicom"),
        (b"\x08\x00\x16\x00\x1a\x00\x00\x001.2.840.10008", "dicom"),
        (b"\x00\x08\x00\x16UI\x00\x1a1.2.840.1", "dicom"),
        (b"II*\x00" + b"\0" * 124 + b"DICM", "dicom"),
        (b"\x08\x00\x05\x00\xff\xff\xff\x7f" + b"\0" * 20, "unknown"),
        (b"BM" + b"\0" * 30, "bmp"),
        (b"\x1c\x02\0\0n+2\0\r\n\x1a\n", "nifti"),
        (b'{"firstread": "phantom", "seed": 1}', "phantom"),
    ],
)
def test_formats_are_told_by_their_first_bytes(tmp_path, head, kind):
    (tmp_path / "a").write_bytes(head)
    assert sniff_format(tmp_path / "a") == kind


def test_the_header_of_a_picture(tmp_path):
    pages = [Image.fromarray(np.zeros((3, 5), np.uint8)) for _ in range(4)]
    pages[0].save(tmp_path / "p.tif", save_all=True, append_images=pages[1:])
    assert read_info(tmp_path / "p.tif") == ImageInfo("tiff", frames=4, rows=3, columns=5)
    whole = save(tmp_path / "a.png", RAMP)
    assert read_info(whole) == ImageInfo("png", frames=1, rows=16, columns=16)
    pages[0].save(tmp_path / "moving.png", save_all=True, append_images=[Image.fromarray(np.ones((3, 5), np.uint8))])
    assert read_info(tmp_path / "moving.png").frames == 1
    noise = save(tmp_path / "noise.png", np.random.default_rng(0).integers(0, 255, (32, 32)).astype(np.uint8))
    (tmp_path / "cut.png").write_bytes(noise.read_bytes()[:300])
    with pytest.raises(DataError, match="broken or cut short"):
        read_info(tmp_path / "cut.png")


@pytest.mark.parametrize(
    ("pixels", "kind"),
    [(RAMP, np.uint8), (RAMP.astype(np.uint16) * 100, np.int16), (RAMP.astype(np.uint16) * 200, np.float32)],
)
def test_a_picture_is_a_volume_of_one_slice_with_its_own_values(tmp_path, pixels, kind):
    volume = read_volume(save(tmp_path / "a.png", pixels))
    assert (volume.values.dtype, volume.unit) == (kind, "")
    assert np.array_equal(volume.values[0], pixels)
    assert volume.geometry.spacing_mm_zyx == (1, 1, 1)


def test_pictures_and_pages_make_no_volume_together(tmp_path):
    paths = [save(tmp_path / f"{index}.png", RAMP) for index in range(2)]
    with pytest.raises(DataError, match="2 pictures, and they state no distance"):
        read_volume(paths)
    pages = [Image.fromarray(np.full((4, 4), value, np.uint8)) for value in (1, 2)]
    pages[0].save(tmp_path / "p.tif", save_all=True, append_images=pages[1:])
    with pytest.raises(DataError, match="2 pictures"):
        read_volume(tmp_path / "p.tif")
    assert read_volume(tmp_path / "p.tif", frame=1).values.max() == 2


def test_files_of_a_volume_are_of_one_format(tmp_path):
    (tmp_path / "a.dcm").write_bytes(b"\0" * 128 + b"DICM")
    with pytest.raises(DataError, match="several formats: png and dicom"):
        read_volume([save(tmp_path / "a.png", RAMP), tmp_path / "a.dcm"])
    with pytest.raises(DataError, match="no file to read a volume from"):
        read_volume([])


def test_a_format_without_a_reader_is_named(tmp_path, monkeypatch):
    (tmp_path / "a").write_bytes(b'{"firstread": "phantom"}')
    monkeypatch.setattr(registry, "registered", lambda group: {})
    with pytest.raises(MissingDependencyError, match="No reader for phantom files is installed"):
        read_image(tmp_path / "a")


@pytest.mark.parametrize("kind", sorted(registered("readers")))
def test_every_registered_reader_has_the_three_functions(kind):
    reader = find_registered("readers", kind)
    for name in ("read_image", "read_info", "read_volume"):
        ours = inspect.signature(getattr(Reader, name)).parameters
        theirs = inspect.signature(getattr(reader, name)).parameters
        assert list(theirs) == [parameter for parameter in ours if parameter != "self"]


WHOLE = {}


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    place=st.floats(0, 0.999), value=st.binary(min_size=1, max_size=6), ending=st.sampled_from(["png", "jpg", "tif"])
)
def test_wrong_bytes_give_an_image_or_a_sentence(tmp_path, place, value, ending):
    data = WHOLE.setdefault(ending, save(tmp_path / f"whole.{ending}", RAMP).read_bytes())
    start = int(place * len(data))
    (tmp_path / "x").write_bytes(data[:start] + value + data[start + len(value) :])
    try:
        said = str(read_image(tmp_path / "x").dtype)
    except FirstreadError as error:
        said = str(error)
    assert said == "uint8" or "Where" in said


@given(low=st.floats(-1e4, 1e4), span=st.floats(0, 1e4))
def test_scaling_is_bounded_and_monotone(low, span):
    scaled = scale_to_8_bit(np.linspace(-1e4, 2e4, 500), low, low + span).astype(int)
    assert scaled.min() >= 0
    assert scaled.max() <= 255
    assert (np.diff(scaled) >= 0).all()


def test_grayscale_and_square():
    assert to_grayscale(np.array([[[255, 255, 255], [255, 0, 0]]], np.uint8)).tolist() == [[255, 76]]
    assert resize_square(RAMP, 16) is RAMP
    assert resize_square(np.zeros((20, 40, 3), np.uint8), 8).shape == (8, 8, 3)
