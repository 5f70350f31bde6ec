"""The reader of pictures: exact values of every depth, upright, every page checked, sentences that are true."""

import struct

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, TiffImagePlugin

from firstread.core.errors import DataError
from firstread.core.images import read_image, read_info, read_volume, sniff_format
from firstread.readers import pillow
from firstread.readers.picture_values import decode_with_raw_mode, open_frame

from .picture_files import save_png, save_tiff

GRAY = np.random.default_rng(0).integers(0, 255, (12, 20)).astype(np.uint8)
DEEP = (GRAY.astype(np.uint16) << 4) + 3
#: Pillow has no mode for 32-bit unsigned integers with the higher byte first
_NOT_READ = {("u4", ">", 1)}
COLOR = np.stack([DEEP, DEEP[::-1], DEEP[:, ::-1]], axis=-1)


def stored(path, frame=0):
    with pillow._open(path, frame) as image:
        return pillow._decode(image, path, frame)


def turned(pixels, orientation):
    """The picture that a file of this EXIF orientation shows, by its definition (CIPA DC-008, TIFF 6.0)."""
    turn = {
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.swapaxes(0, 1),
        6: lambda a: a.swapaxes(0, 1)[:, ::-1],
        7: lambda a: a.swapaxes(0, 1)[::-1, ::-1],
        8: lambda a: a.swapaxes(0, 1)[::-1],
    }
    return turn[orientation](pixels)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["png", "png 16", "png rgb", "jpg", "webp", "tif", "tif lzw", "tif 16", "tif rgb"])
def test_pictures_are_turned_upright_once(tmp_path, kind, orientation):
    ending, _, samples = kind.partition(" ")
    path, pixels = tmp_path / f"a.{ending}", {"16": DEEP, "rgb": COLOR}.get(samples, GRAY)
    exif = Image.Exif()
    exif[274] = orientation
    if kind in ("tif 16", "tif rgb"):
        save_tiff(path, pixels, orientation=orientation)
    elif ending == "tif":
        tags = TiffImagePlugin.ImageFileDirectory_v2()
        tags[274] = orientation
        Image.fromarray(pixels).save(path, tiffinfo=tags, compression="tiff_lzw" if samples == "lzw" else None)
    elif kind == "png rgb":
        save_png(path, pixels, orientation=orientation)
    else:
        options = {"quality": 100} if ending == "jpg" else {"lossless": True} if ending == "webp" else {}
        Image.fromarray(pixels).save(path, exif=exif, **options)
    expected, values = turned(pixels, orientation), stored(path)
    if ending == "jpg":
        assert np.abs(values.astype(int) - expected).max() <= 2
    else:
        assert np.array_equal(values, expected)
    shown, info = read_image(path), read_info(path)
    assert shown.shape[:2] == (info.rows, info.columns) == expected.shape[:2]
    assert read_volume(path).values.shape[1:3] == expected.shape[:2]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    kind=st.sampled_from(["u1", "i1", "u2", "i2", "u4", "i4", "f4"]),
    channels=st.sampled_from([1, 3, 4]),
    order=st.sampled_from("<>"),
    packed=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_a_tiff_is_read_exactly_or_refused_in_a_true_sentence(tmp_path, kind, channels, order, packed, seed):
    rng, dtype = np.random.default_rng(seed), np.dtype(kind)
    shape = (5, 7) if channels == 1 else (5, 7, channels)
    if dtype.kind == "f":
        pixels = rng.normal(0, 1000, shape).astype(dtype)
    else:
        limits = np.iinfo(dtype)
        pixels = rng.integers(limits.min, limits.max, shape, dtype=dtype)
    path = save_tiff(tmp_path / "a.tif", pixels, order=order, packed=packed)
    is_read = channels == 1 or kind in ("u1", "u2")
    is_read = is_read and (kind, order, channels) not in _NOT_READ
    if is_read:
        expected = pixels[..., :3] if channels > 1 else pixels
        assert np.array_equal(stored(path).astype(np.float64), expected.astype(np.float64))
    else:
        with pytest.raises(DataError, match=rf"{dtype.itemsize * 8}-bit .*does not read"):
            stored(path)


@pytest.mark.parametrize(
    ("kind", "words"),
    [("f8", "64-bit floating-point samples"), ("u8", "64-bit samples"), ("f2", "16-bit floating-point samples")],
)
def test_samples_that_are_not_read_are_named(tmp_path, kind, words):
    path = save_tiff(tmp_path / "a.tif", np.ones((5, 7), kind))
    for read in (read_info, read_image, read_volume):
        with pytest.raises(DataError, match=words):
            read(path)


def test_colors_in_planes_of_16_bits_are_refused_not_misread(tmp_path):
    with pytest.raises(DataError, match="16-bit colors in separate planes"):
        read_info(save_tiff(tmp_path / "a.tif", COLOR, planes=True))


def test_a_compression_that_is_not_read_is_named(tmp_path):
    path = save_tiff(tmp_path / "a.tif", GRAY)
    data = bytearray(path.read_bytes())
    at = data.index(struct.pack("<HHLL", 259, 3, 1, 1)) + 8
    data[at : at + 4] = struct.pack("<L", 34712)  # JPEG 2000
    path.write_bytes(data)
    with pytest.raises(DataError, match="samples compressed as "):
        read_info(path)


@pytest.mark.parametrize("alpha", [None, 65535, 40000])
@pytest.mark.parametrize("is_color", [True, False])
def test_a_png_of_16_bits_keeps_all_of_them(tmp_path, is_color, alpha):
    pixels = COLOR if is_color else DEEP[..., None]
    channels = pixels if alpha is None else np.concatenate([pixels, np.full_like(pixels[..., :1], alpha)], axis=-1)
    path = save_png(tmp_path / "a.png", channels)
    assert np.array_equal(stored(path), pixels if is_color else DEEP)
    assert (read_image(path).min(), read_image(path).max()) == (0, 255)


def test_gray_in_colors_of_16_bits_becomes_gray(tmp_path):
    path = save_png(tmp_path / "a.png", np.repeat(DEEP[..., None], 3, axis=2))
    assert np.array_equal(stored(path), DEEP)
    assert read_volume(path).values.dtype == np.int16


@pytest.mark.parametrize("kind", ["gray", "color", "float", "signed"])
def test_one_hot_pixel_does_not_blacken_the_picture(tmp_path, kind):
    pixels = np.tile(DEEP, (4, 4))
    if kind == "float":
        pixels = pixels.astype(np.float32)
        pixels[0, 0], pixels[0, 1], pixels[1, 0] = 1e9, np.nan, np.inf
        path = save_tiff(tmp_path / "a.tif", pixels)
    elif kind == "signed":
        pixels = pixels.astype(np.int32)
        pixels[0, 0] = 2_000_000_000
        path = save_tiff(tmp_path / "a.tif", pixels)
    else:
        pixels[0, 0] = 65535
        channels = [pixels, pixels[::-1], pixels] if kind == "color" else [pixels]
        path = save_png(tmp_path / "a.png", np.stack(channels, axis=-1))
    assert 60 < read_image(path).mean() < 200
    full = read_image(path, window="full")
    assert full.mean() < 30
    assert full[0, 0].max() == 255


def test_a_window_of_numbers_is_in_the_values_of_the_file(tmp_path):
    path = save_png(tmp_path / "a.png", np.array([[[0], [1000], [1500], [2000], [4000]]], np.uint16))
    assert read_image(path, window=(1500, 1000)).tolist() == [[0, 0, 128, 255, 255]]
    assert np.array_equal(read_image(path, window="lung"), read_image(path))
    eight = tmp_path / "b.png"
    Image.fromarray(GRAY).save(eight)
    assert np.array_equal(read_image(eight, window=(10, 5)), GRAY)


def test_zero_may_be_white(tmp_path):
    black, white = (save_tiff(tmp_path / f"{n}.tif", DEEP, photometric=n) for n in (1, 0))
    assert np.array_equal(read_image(white), 255 - read_image(black))


@pytest.mark.parametrize("size", [(30000, 30000), (11000, 11000)])
def test_a_picture_that_is_too_large_is_called_too_large(tmp_path, size):
    path = tmp_path / "a.png"
    Image.fromarray(GRAY).save(path)
    data = bytearray(path.read_bytes())
    import zlib

    data[16:24] = struct.pack(">LL", *size)
    data[29:33] = struct.pack(">L", zlib.crc32(data[12:29]))
    path.write_bytes(data)
    for read in (read_info, read_image, read_volume):
        with pytest.raises(DataError, match="too large"):
            read(path)


@pytest.mark.parametrize("page", [0, 1, 2])
def test_every_page_is_checked(tmp_path, page):
    pages = [Image.fromarray(np.roll(GRAY, shift)) for shift in range(3)]
    path = tmp_path / "a.tif"
    pages[0].save(path, save_all=True, append_images=pages[1:], compression="tiff_adobe_deflate")
    offsets = []
    for index in range(3):
        with open_frame(path, index) as image:
            offsets.append(image.tag_v2[273][0])
    data = bytearray(path.read_bytes())
    data[offsets[page] : offsets[page] + 40] = bytes(40)
    path.write_bytes(data)
    with pytest.raises(DataError, match="broken or cut short"):
        read_info(path)


def test_pages_that_are_too_many_pixels_together_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(pillow, "MAX_VOXELS", 3 * GRAY.size - 1)
    pages = [Image.fromarray(GRAY)] * 3
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    with pytest.raises(DataError, match="3 pages hold more pixels"):
        read_info(tmp_path / "a.tif")


@pytest.mark.parametrize("ending", ["gif", "webp"])
def test_animations_are_read_frame_by_frame(tmp_path, ending):
    frames = [np.full((8, 9), value, np.uint8) for value in (10, 120, 240)]
    pictures = [Image.fromarray(frame) for frame in frames]
    path = tmp_path / f"a.{ending}"
    pictures[0].save(
        path, save_all=True, append_images=pictures[1:], **({"lossless": True} if ending == "webp" else {})
    )
    assert sniff_format(path) == ending
    info = read_info(path)
    assert (info.format, info.frames, info.rows, info.columns) == (ending, 3, 8, 9)
    for index, frame in enumerate(frames):
        assert np.array_equal(read_image(path, frame=index), frame)
    with pytest.raises(DataError, match="no frame 3"):
        read_image(path, frame=3)
    with pytest.raises(DataError, match="no frame -1"):
        read_image(path, frame=-1)


@pytest.mark.parametrize("ending", ["gif", "webp", "bmp"])
def test_still_pictures_of_other_formats(tmp_path, ending):
    path = tmp_path / f"a.{ending}"
    Image.fromarray(GRAY).save(path, **({"lossless": True} if ending == "webp" else {}))
    assert read_info(path).frames == 1
    assert np.array_equal(read_image(path), GRAY)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(DataError, match="broken or cut short"):
        read_info(path)


def test_a_big_tiff_is_a_tiff(tmp_path):
    Image.fromarray(GRAY).save(tmp_path / "a.tif", big_tiff=True)
    assert sniff_format(tmp_path / "a.tif") == "tiff"
    assert np.array_equal(read_image(tmp_path / "a.tif"), GRAY)


def test_damaged_exif_leaves_the_picture_as_it_is(tmp_path):
    Image.fromarray(GRAY).save(tmp_path / "a.png", exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    assert np.array_equal(read_image(tmp_path / "a.png"), GRAY)


@pytest.mark.parametrize(
    ("ending", "options", "aspect"),
    [
        ("png", {"dpi": (300, 150)}, 2.0),
        ("png", {}, 1.0),
        ("jpg", {"dpi": (100, 300)}, 1 / 3),
        ("jpg", {"dpi": (72, 72)}, 1.0),
        ("tif", {"dpi": (204, 98)}, 204 / 98),
        ("tif", {"dpi": (300, 1)}, 1.0),
        ("bmp", {"dpi": (150, 300)}, 0.5),
    ],
)
def test_the_aspect_of_a_pixel_is_that_of_the_resolution(tmp_path, ending, options, aspect):
    Image.fromarray(GRAY).save(tmp_path / f"a.{ending}", **options)
    assert pillow.pixel_aspect(tmp_path / f"a.{ending}") == pytest.approx(aspect, rel=0.01)


def test_the_aspect_turns_with_the_picture(tmp_path):
    exif = Image.Exif()
    exif[274] = 6
    Image.fromarray(GRAY).save(tmp_path / "a.png", dpi=(300, 150), exif=exif)
    assert pillow.pixel_aspect(tmp_path / "a.png") == pytest.approx(0.5, rel=0.01)


def test_the_bytes_of_a_color_are_unpacked_in_either_order(tmp_path):
    path = save_png(tmp_path / "a.png", COLOR)
    assert np.array_equal(decode_with_raw_mode(path, 0, "RGB;16B"), COLOR >> 8)
    assert np.array_equal(decode_with_raw_mode(path, 0, "RGB;16L"), COLOR & 255)
