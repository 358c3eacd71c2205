"""Reconstructions among training images in feature space, for TensorBoard's embedding projector."""

import dataclasses
import functools
import math
import os
import pathlib
from collections.abc import Sequence

import numpy as np
import PIL.Image
import tensorflow as tf
from google.protobuf import text_format
from tensorboard.plugins.projector import ProjectorConfig

from tfinv import files
from tfinv.errors import expected
from tfinv.reporting import canvas
from tfinv.reporting.logs import run_name, write_runs

_SHEET = 8192  # pixels: the largest sprite that a browser takes
_SIDE = 64  # pixels of a picture in it, at most
_MOST = 20_000  # points that the projector still moves


@dataclasses.dataclass(frozen=True)
class Points:
    """Points of one kind.

    Attributes:
      kind: what they are, such as "training" or "reversal, miface".
      features: (n, d) float, of one evaluator for all kinds.
      images: (n, H, W, 1 or 3) float in [0, 1].
      labels: (n,) names of the classes.
      indices: (n,) into the set they come from; counted from 0 if None.
    """

    kind: str
    features: np.ndarray
    images: np.ndarray
    labels: Sequence[str]
    indices: Sequence[int] | None = None


def write_projector(
    logdir: str | os.PathLike, points: Sequence[Points], *, name: str = "features", run: str = "projector"
) -> pathlib.Path:
    """Writes the files of the projector: vectors, names, and a sheet of pictures.

    Pictures of the first kind (the training images) are plain, those of each other kind have a frame of their own colour.

    Args:
      logdir: the folder for TensorBoard.
      points: the kinds, the training images first; a few thousand points in all.
      name: of the embedding, such as the evaluator's.
      run: the folder within `logdir`, whose earlier files are replaced.

    Returns:
      The folder of the run.

    Raises:
      UserError: shapes do not fit, there are more than 20,000 points, or `logdir` cannot be written to.
    """
    _check(points)
    folder = pathlib.Path(logdir) / run_name(run)
    vectors = np.concatenate([np.asarray(p.features, np.float32) for p in points])
    config = ProjectorConfig()
    embedding = config.embeddings.add()
    embedding.tensor_name = name
    embedding.tensor_path, embedding.metadata_path = "tensors.tsv", "metadata.tsv"
    embedding.tensor_shape.extend(vectors.shape)
    embedding.sprite.image_path = "sprite.png"
    sheet, (width, height) = _sprite(points)
    embedding.sprite.single_image_dim.extend((width, height))
    files.write_text(folder / "tensors.tsv", "".join("\t".join(f"{x:.6g}" for x in row) + "\n" for row in vectors))
    files.write_text(folder / "metadata.tsv", _metadata(points))
    with files.atomic_path(folder / "sprite.png") as temporary:
        sheet.save(temporary, format="PNG")
    files.write_text(folder / "projector_config.pbtxt", text_format.MessageToString(config))
    # TensorBoard looks for the files only where it knows a run, which is a folder with events.
    about = "Reconstructions among training images: choose PROJECTOR in the menu above, and colour by kind."
    write = functools.partial(tf.summary.text, "projector", about, step=0)
    write_runs(logdir, {folder.name: [write]}, f".tfinv-projector-{folder.name}")
    return folder


def _check(points: Sequence[Points]) -> None:
    if not points or not all(len(p.features) for p in points):
        raise expected("at least one point of each kind", [len(p.features) for p in points])
    total = sum(len(p.features) for p in points)
    if total > _MOST:
        raise expected(f"at most {_MOST:,} points", f"{total:,}", "Take a part of the training images.")
    if len({np.shape(p.images)[1:] for p in points}) != 1 or np.ndim(points[0].images) != 4:
        raise expected("images of one shape (n, H, W, C)", [np.shape(p.images) for p in points])
    if len({np.shape(p.features)[1:] for p in points}) != 1 or np.ndim(points[0].features) != 2:
        raise expected("features of one shape (n, d)", [np.shape(p.features) for p in points])
    for p in points:
        sizes = {len(p.features), len(p.images), len(p.labels), len(p.labels if p.indices is None else p.indices)}
        if len(sizes) != 1:
            raise expected(f"one image, label and index for each of {len(p.features)} features", sorted(sizes))
        if not np.isfinite(p.features).all():
            raise expected("finite features", f"NaN or infinity in {p.kind!r}")


def _metadata(points: Sequence[Points]) -> str:
    lines = ["kind\tclass\tindex"]
    for p in points:
        indices = range(len(p.labels)) if p.indices is None else p.indices
        lines += [f"{_field(p.kind)}\t{_field(k)}\t{int(i)}" for k, i in zip(p.labels, indices, strict=True)]
    return "\n".join(lines) + "\n"


def _field(text: object) -> str:
    # A tab or a line end would shift all points after it to others' names.
    return " ".join("".join(c if c.isprintable() else " " for c in str(text)).split()) or "-"


def _kernel(scale: float) -> PIL.Image.Resampling:
    # Pixels are the evidence: none is smoothed away where there is room for all.
    return PIL.Image.Resampling.NEAREST if scale >= 1 else PIL.Image.Resampling.BOX


def _sprite(points: Sequence[Points]) -> tuple[PIL.Image.Image, tuple[int, int]]:
    count = sum(len(p.images) for p in points)
    across = math.ceil(math.sqrt(count))
    height, width = points[0].images.shape[1:3]
    scale = min(_SIDE, _SHEET // across) / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    sheet = PIL.Image.new("RGB", (across * size[0], across * size[1]), "white")
    place, edge = 0, max(1, min(size) // 10)
    for k, p in enumerate(points):
        frame = canvas.COLOURS[k % len(canvas.COLOURS)] if k else None
        for image in p.images:
            pixels = np.round(255 * canvas.check_image(image, f"the points {p.kind!r}")).astype(np.uint8)
            small = (
                PIL.Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
                .convert("RGB")
                .resize(size, _kernel(scale))
            )
            if frame:
                framed = PIL.Image.new("RGB", size, frame)
                framed.paste(small.crop((edge, edge, size[0] - edge, size[1] - edge)), (edge, edge))
                small = framed
            sheet.paste(small, (place % across * size[0], place // across * size[1]))
            place += 1
    return sheet, size
