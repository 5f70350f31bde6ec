"""Pictures of strangers: what comes out is a new picture, and what is no picture harms nobody."""

import asyncio
import io
import json
import subprocess
import sys
import time

import pytest
from PIL import Image

from firstread.classroom.service import picture_upload
from firstread.classroom.service.picture_encoder import MAX_PIXELS, MAX_SIDE_PIXELS, PREVIEW_SIDE_PIXELS, detect_format
from firstread.classroom.service.picture_upload import MAX_PICTURE_BYTES, encode_picture, parse_answer
from firstread.core.errors import SettingError

from .. import pictures
from ..pictures import encoded


def encode(data):
    return asyncio.run(encode_picture(data))


def opened(data):
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def test_a_figure_stays_a_png_with_a_small_preview():
    picture = encode(pictures.png(1200, 900))
    assert (picture.media_type, picture.width, picture.height) == ("image/png", 1200, 900)
    assert opened(picture.content).size == (1200, 900)
    assert opened(picture.preview).size == (PREVIEW_SIDE_PIXELS, 360)


@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
def test_a_photograph_becomes_a_jpeg_that_fits_a_notebook(kind):
    picture = encode(encoded(Image.effect_noise((2400, 1800), 60).convert("RGB"), kind, quality=60))
    assert (picture.media_type, picture.width, picture.height) == ("image/jpeg", MAX_SIDE_PIXELS, 1200)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_each_kind_of_png_can_be_looked_at(mode):
    image = Image.new(mode, (40, 30)) if mode != "I;16" else Image.new("I", (40, 30), 4000).convert("I;16")
    picture = encode(encoded(image))
    assert opened(picture.content).mode == "RGB"


def test_a_twelve_bit_radiograph_is_not_black():
    picture = encode(encoded(Image.linear_gradient("L").convert("I").point(lambda value: value * 16).convert("I;16")))
    assert opened(picture.content).convert("L").getextrema() == (0, 255)


def test_what_is_transparent_lies_on_white():
    assert opened(encode(encoded(Image.new("RGBA", (9, 9)))).content).getpixel((4, 4)) == (255, 255, 255)


def test_a_photograph_of_a_phone_holds_several_pictures_and_the_first_is_taken():
    first, second = (Image.new("RGB", size, "teal") for size in ((640, 480), (64, 48)))
    picture = encode(encoded(first, "MPO", save_all=True, append_images=[second]))
    assert (picture.width, picture.height) == (640, 480)


def test_nothing_but_pixels_is_left_and_the_picture_stands_upright():
    photograph = pictures.jpeg_with_metadata()
    assert pictures.SECRET.encode() in photograph
    picture = encode(photograph)
    assert (picture.width, picture.height) == (200, 400)
    for data in (picture.content, picture.preview, encode(pictures.png_with_text()).content):
        assert b"Jane" not in data
        assert b"Exif" not in data
        assert not opened(data).getexif()


def test_markup_behind_a_picture_is_gone():
    picture = encode(pictures.polyglot())
    assert b"<script" not in picture.content + picture.preview


@pytest.mark.parametrize(
    "data",
    [
        pictures.SVG,
        pictures.HTML,
        b"",
        encoded(Image.new("L", (9, 9)), "GIF"),
        encoded(Image.new("L", (9, 9)), "TIFF"),
        encoded(Image.new("L", (9, 9)), "BMP"),
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
        b"RIFF\0\0\0\0WAVEfmt ",
    ],
    ids=["svg", "html", "nothing", "gif", "tiff", "bmp", "postscript", "wave"],
)
def test_other_formats_are_refused_by_their_first_bytes(data):
    assert detect_format(data) is None
    with pytest.raises(SettingError, match="Only PNG, JPEG and WebP"):
        encode(data)


@pytest.mark.parametrize(
    "data",
    [
        pictures.png()[:200],
        b"\x89PNG\r\n\x1a\n" + b"\xff" * 500,
        b"\xff\xd8\xff" + b"\0" * 500,
        b"RIFF\x10\0\0\0WEBPVP8 " + b"\xff" * 60,
        pictures.png_text_bomb(),
    ],
    ids=["cut off", "no chunks", "no jpeg", "no webp", "text bomb"],
)
def test_a_broken_picture_is_refused_in_a_sentence(data):
    with pytest.raises(SettingError, match="The picture is broken"):
        encode(data)


def test_a_bomb_is_refused_before_it_is_unpacked():
    bomb = pictures.png_bomb()
    assert len(bomb) < 200_000
    begin = time.monotonic()
    with pytest.raises(SettingError, match=f"more than {MAX_PIXELS // 1_000_000} million pixels"):
        encode(bomb)
    assert time.monotonic() - begin < 10


def test_a_file_that_is_too_large_is_not_looked_at(monkeypatch):
    monkeypatch.setattr(asyncio, "create_subprocess_exec", None)
    with pytest.raises(SettingError, match="larger than 4 MB"):
        encode(b"\x89PNG" + b"\0" * MAX_PICTURE_BYTES)


def test_a_picture_that_takes_for_ever_is_given_up(monkeypatch):
    monkeypatch.setattr(picture_upload, "_COMMAND", (sys.executable, "-c", "import time; time.sleep(60)"))
    monkeypatch.setattr(picture_upload, "_TIMEOUT_SECONDS", 1.0)
    with pytest.raises(SettingError, match="took too long"):
        encode(pictures.png())


@pytest.mark.parametrize(
    "program",
    [
        "print('x' * 20_000_000)",
        "raise SystemExit(1)",
        "import os; os.kill(os.getpid(), 11)",
        "print('{}')",
        "import json; print(json.dumps({'media_type': 'text/html', 'width': 9, 'height': 9,"
        " 'content_bytes': 4, 'preview_bytes': 0})); print('html')",
    ],
)
def test_a_decoder_that_was_taken_over_gives_no_picture(monkeypatch, program):
    monkeypatch.setattr(picture_upload, "_COMMAND", (sys.executable, "-c", program))
    with pytest.raises(SettingError, match="cannot be read"):
        encode(pictures.png())


@pytest.mark.parametrize(
    "changed", [{"media_type": "image/svg+xml"}, {"content_bytes": 3}, {"width": 0}, {"height": 10**9}, {"width": "x"}]
)
def test_the_answer_of_the_decoder_is_not_believed(changed):
    content, preview = pictures.png(9, 9), encoded(Image.new("L", (9, 9)), "JPEG")
    header = {"media_type": "image/png", "width": 9, "height": 9}
    header |= {"content_bytes": len(content), "preview_bytes": len(preview)}
    assert parse_answer(json.dumps(header).encode() + b"\n" + content + preview, 0).content == content
    with pytest.raises(SettingError, match="cannot be read"):
        parse_answer(json.dumps(header | changed).encode() + b"\n" + content + preview, 0)


def test_html_in_place_of_pixels_is_no_answer():
    header = {"media_type": "image/png", "width": 9, "height": 9, "content_bytes": len(pictures.HTML)}
    with pytest.raises(SettingError, match="cannot be read"):
        parse_answer(json.dumps(header | {"preview_bytes": 0}).encode() + b"\n" + pictures.HTML, 0)


PROBE = """
import os, socket, subprocess
from firstread.classroom.service.picture_encoder import restrict_process
{before}
restrict_process()
try:
    {attempt}
except (OSError, MemoryError) as error:
    print("refused", type(error).__name__)
else:
    print("done")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="Landlock and seccomp are Linux's")
@pytest.mark.parametrize(
    "attempt",
    [
        "open('/etc/passwd').read()",
        "os.listdir('/')",
        "open('/tmp/firstread-probe', 'w')",
        "socket.socket(socket.AF_INET, socket.SOCK_DGRAM)",
        "subprocess.run(['/bin/true'])",
        "os.kill(os.getppid(), 0)",
        "bytearray(2 * 2**30)",
    ],
)
def test_the_process_that_decodes_can_do_nothing_else(attempt):
    from firstread.classroom.sandbox import landlock

    if landlock.abi_version() < landlock.SIGNAL_SCOPE_ABI_VERSION:
        pytest.skip("this Linux's Landlock is older")
    program = PROBE.format(before="", attempt=attempt)
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert found.stdout.startswith("refused"), found


def test_the_process_that_decodes_does_not_have_the_classs_secrets(monkeypatch, tmp_path):
    monkeypatch.setenv("JUPYTERHUB_API_TOKEN", "secret")
    program = f"import os; open({str(tmp_path / 'seen')!r}, 'w').write(repr(dict(os.environ)))"
    monkeypatch.setattr(picture_upload, "_COMMAND", (sys.executable, "-c", program))
    with pytest.raises(SettingError):
        encode(pictures.png())
    assert "secret" not in (tmp_path / "seen").read_text()
