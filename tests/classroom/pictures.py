"""Pictures for tests: honest ones, and ones that are made to harm whoever decodes or shows them."""

import io
import struct
import zlib

from PIL import Image, PngImagePlugin

SVG = b"<svg xmlns='http://www.w3.org/2000/svg'><script>document.title='stolen'</script></svg>"
HTML = b"<!doctype html><script>document.title='stolen'</script>"
SECRET = "Jane Roe, born 1961-04-01"


def encoded(image, kind="PNG", **options):
    """An image as the bytes of a file."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def png(width=320, height=200, color="navy"):
    return encoded(Image.new("RGB", (width, height), color))


def jpeg_with_metadata():
    """A JPEG that lies on its side, with a name and a place in its EXIF, and a comment."""
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, SECRET  # orientation: a quarter turn; description
    exif.get_ifd(0x8825)[1] = "N"  # GPS
    return encoded(Image.new("RGB", (400, 200), "maroon"), "JPEG", exif=exif, comment=SECRET.encode())


def png_with_text():
    text = PngImagePlugin.PngInfo()
    text.add_text("PatientName", SECRET)
    return encoded(Image.new("RGB", (100, 100)), "PNG", pnginfo=text)


def _chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_bomb(side=30_000):
    """A file of about 110 kB that says it has 900 million pixels, and has them."""
    rows, packer = bytearray(), zlib.compressobj(9)
    line = b"\0" * (side // 8 + 1)
    for _ in range(side):
        rows += packer.compress(line)
    rows += packer.flush()
    head = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + _chunk(b"IDAT", bytes(rows)) + _chunk(b"IEND", b"")


def png_text_bomb():
    """A small picture with a compressed text that unpacks to 200 MB."""
    text = _chunk(b"zTXt", b"Comment\0\0" + zlib.compress(b"\0" * 200_000_000, 9))
    picture = png(8, 8)
    return picture[:33] + text + picture[33:]  # after the header chunk


def polyglot():
    """A picture that is also a page: markup after its end, where viewers ignore it."""
    return png() + HTML
