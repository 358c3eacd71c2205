"""Pages of single images: those that fall first, those that give themselves away, those that the model is sure of and wrong."""

import csv
import dataclasses
import io
import math
import os
import pathlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import PIL.Image

from tfinv import files, paths
from tfinv.errors import expected
from tfinv.evaluation.membership.intervals import fewest_nonmembers
from tfinv.reporting.figures import canvas, pictures
from tfinv.reporting.pages.environment import environment
from tfinv.reporting.tables.cells import percent, significant

PAGE, TABLE = "records.html", "records.csv"
_PREVIEW, _PER_PAGE, _MOST = 12, 48, 240  # images of a list on the first page, on a page of its own, and in all
_SIDE = 96  # pixels of a thumbnail
_MAX_BYTES = 256 << 20  # of the table
_SURE = 0.99  # quantile of the non-members above which a member is told

# Images (k, H, W, 1 or 3) in [0, 1] of a split, by their indices.
Images = Callable[[str, np.ndarray], np.ndarray]


@dataclasses.dataclass(frozen=True)
class Record:
    """One image of the table.

    Attributes:
      split: it belongs to.
      index: within the split.
      values: text by column.
    """

    split: str
    index: int
    values: dict[str, str]

    def number(self, column: str) -> float:
        """Returns a figure, or NaN."""
        text = self.values.get(column) or "nan"
        try:
            return float({"True": "1", "False": "0"}.get(text, text))
        except ValueError:
            return math.nan


@dataclasses.dataclass(frozen=True)
class _Selection:
    """A list of images in an order."""

    slug: str
    title: str
    text: str
    records: list[Record]


def write_records_pages(
    folder: str | os.PathLike, *, images: Images | None = None, classes: Sequence[str] = ()
) -> list[pathlib.Path]:
    """Writes `records.html`, with the first images of each list, and pages with more of them, beside the table of single images.

    Args:
      folder: with `records.csv`, of columns index, label, prediction, confidence, smallest_eps, fooled_by and membership, and,
        where they apply, split and member.
      images: gives the images of the records, for thumbnails.
      classes: names of the classes.

    Returns:
      The pages, `records.html` first.

    Raises:
      UserError: there is no such table, or the folder cannot be written to.
    """
    folder = paths.expand(folder)
    template = environment().get_template("records.html.j2")
    chosen = _selections(read_table(folder / TABLE))
    written: dict[str, list[str]] = {
        s.slug: [_name(s.slug, page) for page in range(math.ceil(len(s.records) / _PER_PAGE))] for s in chosen
    }

    def write(name: str, selections: Sequence[_Selection], title: str) -> pathlib.Path:
        cards = {s.slug: _cards(s.records, images, classes) for s in selections}
        page = template.render(title=title, selections=selections, cards=cards, pages=written, name=name, table=TABLE)
        files.write_text(folder / name, page.encode("utf-8", "replace").decode("utf-8"))
        return folder / name

    previews = [dataclasses.replace(s, records=s.records[:_PREVIEW]) for s in chosen]
    result = [write(PAGE, previews, "Single images")]
    for selection in chosen:
        for page, name in enumerate(written[selection.slug]):
            part = selection.records[page * _PER_PAGE : (page + 1) * _PER_PAGE]
            title = f"{selection.title}, page {page + 1} of {len(written[selection.slug])}"
            result.append(write(name, [dataclasses.replace(selection, records=part)], title))
    return result


def read_table(path: pathlib.Path) -> list[Record]:
    """Reads the table of single images.

    Raises:
      UserError: it is missing, too large, or has no column "index".
    """
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise expected(f"a table of at most {_MAX_BYTES >> 20} MiB", f"{path} of {path.stat().st_size >> 20} MiB")
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        return [Record(row.get("split") or "", int(row["index"]), row) for row in rows]
    except (OSError, UnicodeError, csv.Error, KeyError, ValueError, TypeError) as error:
        raise expected(
            "a table of single images with a column index", f"{path} ({error})", "Run the audit again."
        ) from error


def _selections(records: Sequence[Record]) -> list[_Selection]:
    """The lists that the table has columns for, each in its order."""
    fragile = _ranked([r for r in records if r.number("smallest_eps") > 0], lambda r: r.number("smallest_eps"))
    wrong = [r for r in records if r.number("prediction") >= 0 and not _is_right(r)]
    wrong = _ranked([r for r in wrong if not math.isnan(r.number("confidence"))], lambda r: -r.number("confidence"))
    scored = [r for r in records if not math.isnan(_score(r))]
    members = [r for r in scored if r.number("member") != 0]
    exposed = _ranked(members, lambda r: -_score(r))
    lists = [
        _Selection(
            "fragile",
            "Images that fall first",
            "By the smallest perturbation, as a fraction of the range, that any attack of the audit found. Another attack may find "
            "a smaller one.",
            fragile,
        ),
        _Selection("exposed", "Images that the model has memorised most", _exposed_text(scored, members), exposed),
        _Selection(
            "wrong",
            "Images that the model is sure of and wrong",
            "By confidence in the wrong class. Look for labels that do not fit before you blame the model.",
            wrong,
        ),
    ]
    return [dataclasses.replace(s, records=s.records[:_MOST]) for s in lists if s.records]


def _exposed_text(scored: Sequence[Record], members: Sequence[Record]) -> str:
    text = "Members by the score of the strongest membership attack: the higher, the more surely they are told."
    others = [_score(r) for r in scored if r.number("member") == 0]
    if not members or len(others) < (fewest_nonmembers(round(1 - _SURE, 6)) or 1):
        return text
    threshold = np.quantile(others, _SURE, method="higher")
    told = sum(_score(r) > threshold for r in members)
    return (
        f"{text} {told:,} of {len(members):,} members score above all but 1 % of {len(others):,} non-members. Which ones "
        "these are changes from training to training."
    )


def _ranked(records: list[Record], key: Callable[[Record], float]) -> list[Record]:
    return sorted(records, key=lambda r: (key(r), r.split, r.index))


def _score(record: Record) -> float:
    score = record.number("membership")
    return record.number("membership_score") if math.isnan(score) else score


def _is_right(record: Record) -> bool:
    return record.values.get("prediction") == record.values.get("label")


def _name(slug: str, page: int) -> str:
    return f"records-{slug}{f'-{page + 1}' * bool(page)}.html"


def _cards(records: Sequence[Record], images: Images | None, classes: Sequence[str]) -> list[dict[str, Any]]:
    thumbnails = _thumbnails(records, images)
    return [_card(record, thumbnails.get(number), classes) for number, record in enumerate(records)]


def _card(record: Record, thumbnail: str | None, classes: Sequence[str]) -> dict[str, Any]:
    """Card of an image: its name, what the model says, and its figures."""
    label, prediction = (_class_name(record.values.get(c), classes) for c in ("label", "prediction"))
    confidence, eps, score = record.number("confidence"), record.number("smallest_eps"), _score(record)
    sure = "" if math.isnan(confidence) else f", {percent(confidence)} %"
    facts = [("class", label)]
    facts += [("model says", prediction + sure)] if record.number("prediction") >= 0 else []
    if eps > 0:
        by = record.values.get("fooled_by") or ""
        facts.append(("falls at eps", significant(eps) + (f", {by.partition('(')[0]}" if by else "")))
    facts += [] if math.isnan(score) else [("membership score", significant(score))]
    name = f"{record.split} {record.index}".strip()
    return {"name": name, "alt": f"Image {name}, class {label}", "facts": facts, "source": thumbnail}


def _class_name(text: str | None, classes: Sequence[str]) -> str:
    try:
        number = int(text or "")
    except ValueError:
        return text or ""
    return str(classes[number]) if 0 <= number < len(classes) else str(number)


def _thumbnails(records: Sequence[Record], images: Images | None) -> dict[int, str]:
    """Data URIs by the place of the record; of a split all at once."""
    sources: dict[int, str] = {}
    if images is None:
        return sources
    for split in {r.split for r in records}:
        places = [i for i, r in enumerate(records) if r.split == split]
        pixels = images(split, np.array([records[i].index for i in places]))
        for place, image in zip(places, pixels, strict=True):
            sources[place] = _thumbnail(canvas.check_image(image, "the records"))
    return sources


def _thumbnail(image: np.ndarray) -> str:
    """One image as a data URI; small ones keep their pixels sharp."""
    values = np.round(255 * image).astype(np.uint8)
    picture = PIL.Image.fromarray(values[..., 0] if values.shape[-1] == 1 else values)
    if max(picture.size) > _SIDE:
        picture.thumbnail((_SIDE, _SIDE), PIL.Image.Resampling.BOX)
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG", optimize=True)
    return pictures.data_uri(buffer.getvalue())
