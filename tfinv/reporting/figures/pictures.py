"""Pictures that results refer to: read only from their folder, and only in formats that hold no script."""

import base64
import io
import os
import pathlib

import PIL.Image

from tfinv import paths
from tfinv.errors import expected
from tfinv.reporting.results import Figure

_MEDIA_TYPES = {b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg", b"GIF8": "image/gif"}
_MAX_BYTES = 64 * 2**20  # a larger file would stall the browser


def read_picture(figure: Figure, workdir: str | os.PathLike) -> bytes:
    """Returns the bytes of a figure's file.

    Raises:
      UserError: the path leads out of the work folder (also by a link), or it holds no picture.
    """
    root = paths.expand(workdir).resolve()
    try:
        path = (root / figure.path).resolve()
        # An absolute path is refused even if it leads back inside: the folder could not be moved.
        inside = not pathlib.PurePath(figure.path).is_absolute() and path.is_relative_to(root)
        exists = inside and path.is_file()
    except (ValueError, OSError, RuntimeError, TypeError) as error:  # a zero byte, a loop of links, not a text
        raise expected("figure paths inside the work folder", repr(figure.path)) from error
    if not inside:
        raise expected("figure paths inside the work folder", repr(figure.path))
    if not exists:
        raise expected("an existing figure", path, "Run the command again, or move its figures along with the results.")
    if path.stat().st_size > _MAX_BYTES:
        raise expected(f"a figure of at most {_MAX_BYTES >> 20} MiB", f"{path} of {path.stat().st_size >> 20} MiB")
    data = path.read_bytes()
    media_type(data, path)
    return data


def media_type(data: bytes, name: object) -> str:
    """Returns the picture's media type by its first bytes; its name proves nothing.

    Raises:
      UserError: it is neither PNG, JPEG nor GIF.
    """
    for prefix, kind in _MEDIA_TYPES.items():
        if data.startswith(prefix):
            return kind
    raise expected("a figure in PNG, JPEG or GIF form", name)


def display_width(data: bytes) -> int:
    """Returns the width in CSS pixels at which a picture has the size that it was drawn for.

    Raises:
      UserError: the picture is broken.
    """
    try:
        with PIL.Image.open(io.BytesIO(data), formats=("PNG", "JPEG", "GIF")) as image:
            dpi = image.info.get("dpi", (96, 96))[0]
            return max(1, round(image.width * 96 / max(96, dpi)))
    except (OSError, SyntaxError, ValueError, PIL.Image.DecompressionBombError) as error:
        raise expected("a whole picture", str(error)) from error


def data_uri(data: bytes) -> str:
    """Returns the picture as a data URI, for a self-contained page."""
    return f"data:{media_type(data, 'a drawing')};base64,{base64.b64encode(data).decode('ascii')}"
