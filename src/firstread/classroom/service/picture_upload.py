"""Untrusted pictures of the forum, encoded anew in a process of their own (`picture_encoder.py`)."""

import asyncio
import json
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE
from contextlib import suppress

from firstread.classroom.database.forum import EncodedPicture
from firstread.classroom.service.picture_encoder import REFUSED_STATUS, SIGNATURES
from firstread.core.errors import SettingError

#: of a picture as it is sent; the participant's browser makes larger ones smaller
MAX_PICTURE_BYTES = 4 * 2**20
_MAX_ANSWER_BYTES = 8 * 2**20
_TIMEOUT_SECONDS = 20.0
#: all that the process sees of this one's environment, which holds the class's tokens
_ENVIRONMENT = ("PATH", "LANG", "LC_ALL", "PYTHONPATH", "VIRTUAL_ENV", "LD_LIBRARY_PATH")
_COMMAND = (sys.executable, "-P", "-m", "firstread.classroom.service.picture_encoder")
_BROKEN = "The picture cannot be read"


async def encode_picture(data: bytes) -> EncodedPicture:
    """Decode and encode a picture in a process that can reach nothing of the class.

    Raises:
        SettingError: it is too large, of another format, or broken.
    """
    if len(data) > MAX_PICTURE_BYTES:
        raise SettingError(f"The picture is larger than {MAX_PICTURE_BYTES // 2**20} MB", do="make it smaller")
    environment = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
    process = await asyncio.create_subprocess_exec(
        *_COMMAND, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, env=environment, cwd="/"
    )
    try:
        async with asyncio.timeout(_TIMEOUT_SECONDS):
            answer = await _exchange(process, data)
            status = await process.wait()
    except TimeoutError as error:
        raise SettingError("The picture took too long to read", do="make it smaller") from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return parse_answer(answer, status)


async def _exchange(process: asyncio.subprocess.Process, data: bytes) -> bytes:
    """Send the picture and read the answer, of which no more is taken than an honest process sends."""
    if process.stdin is None or process.stdout is None:
        raise RuntimeError("the process has no pipes")
    with suppress(BrokenPipeError, ConnectionResetError):
        process.stdin.write(data)
        await process.stdin.drain()
    process.stdin.close()
    answer = bytearray()
    while chunk := await process.stdout.read(2**16):
        answer += chunk
        if len(answer) > _MAX_ANSWER_BYTES:
            raise SettingError(_BROKEN)
    return bytes(answer)


def parse_answer(answer: bytes, status: int) -> EncodedPicture:
    """The encoder's answer, checked: a picture could have taken over the process that read it.

    Raises:
        SettingError: the picture was refused, or this is no answer of the encoder.
    """
    header_line, _, body = answer.partition(b"\n")
    try:
        header = json.loads(header_line)
        if status == REFUSED_STATUS:
            raise SettingError(str(header["refused"])[:200])
        sizes = int(header["content_bytes"]), int(header["preview_bytes"])
        media_type, width, height = str(header["media_type"]), int(header["width"]), int(header["height"])
    except SettingError:
        raise
    except (ValueError, KeyError, TypeError) as error:
        raise SettingError(_BROKEN) from error
    content, preview = body[: sizes[0]], body[sizes[0] :]
    signature = {"image/png": SIGNATURES["PNG"], "image/jpeg": SIGNATURES["JPEG"]}.get(media_type)
    is_whole = status == 0 and (len(content), len(preview)) == sizes
    is_picture = signature is not None and content.startswith(signature) and preview.startswith(SIGNATURES["JPEG"])
    if not is_whole or not is_picture or not (0 < width <= 10_000 and 0 < height <= 10_000):
        raise SettingError(_BROKEN)
    return EncodedPicture(media_type, width, height, content, preview)
