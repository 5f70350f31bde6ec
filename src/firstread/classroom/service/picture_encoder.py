"""Process that decodes one untrusted picture and encodes it anew: it has no files, no network and little memory.

`python -m firstread.classroom.service.picture_encoder` reads the picture from its standard input, and writes a line of
JSON and then the bytes of the new picture and of its preview. Decoders of image formats are C libraries in which faults
were found again and again; here such a fault reaches a process that owns nothing, and not the class's keys.
"""

import io
import json
import os
import sys
from contextlib import suppress
from importlib import import_module
from typing import Any, cast

from PIL import Image, ImageOps

from firstread.classroom.sandbox import landlock, seccomp
from firstread.classroom.sandbox.syscalls import change_user

#: side of the new picture and of its preview
MAX_SIDE_PIXELS, PREVIEW_SIDE_PIXELS = 1600, 480
#: of the picture as it was sent; a decompression bomb has more
MAX_PIXELS = 32_000_000
#: a PNG is kept as one up to this size; a photograph becomes a JPEG
MAX_PNG_BYTES = 700_000
SIGNATURES = {"PNG": b"\x89PNG\r\n\x1a\n", "JPEG": b"\xff\xd8\xff", "WEBP": b"RIFF"}
_JPEG_QUALITY, _PREVIEW_QUALITY = 88, 80
_MEMORY_BYTES, _CPU_SECONDS = 768 * 2**20, 10
_NOBODY = 65534
#: Pillow imports these when it first meets what they are for: multi-picture files, EXIF, palettes, ...
_PILLOW_MODULES = (
    *("PngImagePlugin", "JpegImagePlugin", "WebPImagePlugin", "MpoImagePlugin", "TiffImagePlugin"),
    *("ImageFile", "ImageFilter", "ImageColor", "ImagePalette"),
)
#: exit status of a picture that is refused, with a sentence on the standard output
REFUSED_STATUS = 3


class RefusedPictureError(Exception):
    """A picture that is not taken; the message is for the participant."""


def restrict_process() -> None:
    """Give up files, network and privileges for good, as far as this system allows, and limit memory and time."""
    import resource  # POSIX only, as classes are

    limits = {
        resource.RLIMIT_AS: _MEMORY_BYTES,
        resource.RLIMIT_CPU: _CPU_SECONDS,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_NPROC: 0,
    }
    for name, limit in limits.items():
        resource.setrlimit(name, (limit, limit))
    if os.geteuid() == 0:
        with suppress(PermissionError):  # root without that right, in some containers
            change_user(_NOBODY)
    if sys.platform == "linux" and landlock.abi_version():
        with suppress(OSError):  # a container may forbid it; the limits above hold all the same
            landlock.restrict_self(landlock.AllowedAccess())
            if seccomp.is_supported():
                seccomp.restrict_self(network=False)


def encode(data: bytes) -> tuple[dict[str, Any], bytes, bytes]:
    """Decode a picture and encode it anew, upright, without metadata, as large as a notebook needs.

    Returns:
        Its media type, width and height, the new picture, and its preview (JPEG).

    Raises:
        RefusedPictureError: another format, too many pixels, or broken.
    """
    kind = detect_format(data)
    if kind is None:
        raise RefusedPictureError("Only PNG, JPEG and WebP pictures can be posted.")
    try:
        image = _open(data, kind)
        image = _shrink_to_rgb(image)
        preview = image.copy()
        preview.thumbnail((PREVIEW_SIDE_PIXELS, PREVIEW_SIDE_PIXELS))
        content, media_type = (_to_bytes(image, "PNG", optimize=True), "image/png") if kind == "PNG" else (b"", "")
        if not content or len(content) > MAX_PNG_BYTES:
            content, media_type = _to_bytes(image, "JPEG", quality=_JPEG_QUALITY), "image/jpeg"
        header = {"media_type": media_type, "width": image.width, "height": image.height}
        return header, content, _to_bytes(preview, "JPEG", quality=_PREVIEW_QUALITY)
    except MemoryError as error:
        raise RefusedPictureError("The picture is too large.") from error
    except RefusedPictureError:
        raise
    except Exception as error:  # whatever a decoder raises for a broken file: OSError, SyntaxError, ValueError, ...
        raise RefusedPictureError("The picture is broken.") from error


def detect_format(data: bytes) -> str | None:
    """Format by the first bytes, whatever the file's name or declared type: "PNG", "JPEG" or "WEBP"."""
    kind = next((name for name, signature in SIGNATURES.items() if data.startswith(signature)), None)
    return None if kind == "WEBP" and data[8:12] != b"WEBP" else kind


def _open(data: bytes, kind: str) -> Image.Image:
    image = Image.open(io.BytesIO(data), formats=(kind,))  # reads the header only
    if image.width * image.height > MAX_PIXELS:
        raise RefusedPictureError(f"The picture has more than {MAX_PIXELS // 1_000_000} million pixels.")
    image.draft("RGB" if image.mode == "RGB" else None, (MAX_SIDE_PIXELS, MAX_SIDE_PIXELS))  # JPEG: decoded smaller
    return image


def _shrink_to_rgb(image: Image.Image) -> Image.Image:
    """At most 1600 pixels a side, turned as its EXIF orientation says, transparent parts white, 8 bits a channel."""
    if image.mode.startswith("I"):  # 16-bit gray: its range of values is spread over black to white
        image = image.convert("I")
        low, high = cast("tuple[float, float]", image.getextrema())
        scale = 255 / max(1, high - low)
        image = image.point(lambda value: value * scale - low * scale).convert("L")
    elif image.mode in ("P", "PA", "1", "LA") or "transparency" in image.info:
        image = image.convert("RGBA")
    image = ImageOps.exif_transpose(image)
    image.thumbnail((MAX_SIDE_PIXELS, MAX_SIDE_PIXELS))
    if image.mode == "RGBA":
        paper = Image.new("RGB", image.size, "white")
        paper.paste(image, mask=image.getchannel("A"))
        return paper
    plain = Image.new("RGB", image.size)  # a new image, which has none of the old one's metadata
    plain.paste(image.convert("RGB"))
    return plain


def _to_bytes(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def main() -> int:
    """Encode the picture on the standard input."""
    Image.MAX_IMAGE_PIXELS = None  # our own limit is looked at before anything is decoded, and has its own sentence
    Image.preinit()  # before files are out of reach; what is opened is named each time
    for module in _PILLOW_MODULES:
        import_module(f"PIL.{module}")
    restrict_process()
    try:
        header, content, preview = encode(sys.stdin.buffer.read())
    except RefusedPictureError as error:
        print(json.dumps({"refused": str(error)}), flush=True)
        return REFUSED_STATUS
    header |= {"content_bytes": len(content), "preview_bytes": len(preview)}
    sys.stdout.buffer.write(json.dumps(header).encode() + b"\n" + content + preview)
    sys.stdout.buffer.flush()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
