"""Pictures as parts of a page: in full, and as small versions for its first screen."""

import dataclasses
import io
import os
import re
from collections.abc import Iterable

import PIL.Image

from tfinv.errors import expected
from tfinv.reporting.figures import pictures
from tfinv.reporting.figures.curves import CURVES
from tfinv.reporting.figures.membership_pictures import AT_RISK, ROC
from tfinv.reporting.results import Figure

# Of each group the first screen has the first that exists; names with hyphens are those of published experiments.
HIGHLIGHTS = (
    (CURVES,),
    ("fragile",),
    ("nearest", "neighbours", "reconstructions", "classes"),
    (ROC, "membership-roc"),
)
_MOST_HIGHLIGHTS = 4
# In CSS pixels; twice as many are kept, for screens of high density.
_WIDTH, _HEIGHT, _DENSITY = 380, 300, 2


@dataclasses.dataclass(frozen=True)
class Picture:
    """A picture in full.

    Attributes:
      name: of the figure.
      id: of its element.
      title: of the figure.
      caption: below it.
      alt: what it shows, for those who can't see it.
      source: data URI.
      width: in CSS pixels, at which it has the size that it was drawn for.
      data: its bytes.
    """

    name: str
    id: str
    title: str
    caption: str
    alt: str
    source: str
    width: int
    data: bytes = dataclasses.field(repr=False)


@dataclasses.dataclass(frozen=True)
class Highlight:
    """A small version of a picture, which leads to the picture in full.

    Attributes:
      title: of the picture.
      target: id of the picture in full.
      source: data URI.
    """

    title: str
    target: str
    source: str


class Album:
    """All pictures of a page, each with an id of its own.

    Args:
      workdir: folder that paths of figures are relative to.
    """

    def __init__(self, workdir: str | os.PathLike):
        self._workdir = workdir
        self.pictures: list[Picture] = []

    def read(self, figures: Iterable[Figure]) -> list[Picture]:
        """Adds figures of the results.

        Raises:
          UserError: one is not a picture inside the work folder.
        """
        return [self.add(f.name, f.title, f.caption, pictures.read_picture(f, self._workdir)) for f in figures]

    def add(self, name: str, title: str, caption: str, data: bytes, alt: str = "") -> Picture:
        """Adds a picture; its alt text is title and caption if there is no other."""
        slug = "figure-" + (re.sub(r"[^a-z0-9]+", "-", str(name).lower()).strip("-") or "picture")
        taken = {p.id for p in self.pictures}
        unique = next(i for i in (slug, *(f"{slug}-{k}" for k in range(2, len(taken) + 3))) if i not in taken)
        width = pictures.display_width(data)
        text = f"{title}. {alt or caption}"
        picture = Picture(name, unique, title, caption, text, pictures.data_uri(data), width, data)
        self.pictures.append(picture)
        return picture

    def highlights(self) -> list[Highlight]:
        """Returns small versions of the most telling pictures: at most four."""
        chosen = [next((p for name in names for p in self.pictures if p.name == name), None) for names in HIGHLIGHTS]
        telling = [p for p in chosen if p is not None]
        others = [p for p in self.pictures if p not in telling and p.name != AT_RISK]
        return [Highlight(p.title, p.id, _small(p.data)) for p in (telling + others)[:_MOST_HIGHLIGHTS]]


def _small(data: bytes) -> str:
    """The upper part of a picture, as a data URI."""
    try:
        with PIL.Image.open(io.BytesIO(data), formats=("PNG", "JPEG", "GIF")) as image:
            width = min(image.width, _DENSITY * _WIDTH)
            scaled = image.convert("RGB").resize((width, max(1, round(image.height * width / image.width))))
            part = scaled.crop((0, 0, width, min(scaled.height, _DENSITY * _HEIGHT)))
            buffer = io.BytesIO()
            part.quantize(128).save(buffer, format="PNG", optimize=True)
            return pictures.data_uri(buffer.getvalue())
    except (OSError, SyntaxError, ValueError, PIL.Image.DecompressionBombError) as error:
        raise expected("a whole picture", str(error)) from error
