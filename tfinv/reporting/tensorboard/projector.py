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

from tfinv import files, paths
from tfinv.errors import expected
from tfinv.reporting.figures import canvas
from tfinv.reporting.tensorboard.logs import run_name, write_runs

_MAX_SPRITE = 8192  # side in pixels: the largest sprite that a browser takes
_MAX_SIDE = 64  # pixels, of one picture in the sprite
_MAX_POINTS = 20_000  # that the projector can still move


@dataclasses.dataclass(frozen=True)
class Points:
    """Points of one kind.

    Attributes:
      kind: their name, such as "training" or "reversal, miface".
      features: (n, d) float, of the same evaluator for all kinds.
      images: (n, H, W, 1 or 3) float in [0, 1].
      labels: (n,) names of the classes.
      indices: (n,) into the set that they come from; counted from 0 if None.
    """

    kind: str
    features: np.ndarray
    images: np.ndarray
    labels: Sequence[str]
    indices: Sequence[int] | None = None


def write_projector(
    logdir: str | os.PathLike, points: Sequence[Points], *, name: str = "features", run: str = "projector"
) -> pathlib.Path:
    """Writes the files of the projector: vectors, metadata, and a sprite of pictures.

    Pictures of the first kind (the training images) are plain; each other kind has frames of one colour.

    Args:
      logdir: folder for TensorBoard.
      points: of each kind, the training images first; a few thousand in all.
      name: of the embedding, such as that of the evaluator.
      run: folder within `logdir`; its earlier files are replaced.

    Returns:
      The folder of the run.

    Raises:
      UserError: shapes do not match, there are more than 20,000 points, or `logdir` cannot be written to.
    """
    _check(points)
    folder = paths.expand(logdir) / run_name(run)
    vectors = np.concatenate([np.asarray(p.features, np.float32) for p in points])
    config = ProjectorConfig()
    embedding = config.embeddings.add()
    embedding.tensor_name = name
    embedding.tensor_path, embedding.metadata_path = "tensors.tsv", "metadata.tsv"
    embedding.tensor_shape.extend(vectors.shape)
    embedding.sprite.image_path = "sprite.png"
    sprite, (width, height) = _sprite(points)
    embedding.sprite.single_image_dim.extend((width, height))
    files.write_text(folder / "tensors.tsv", "".join("\t".join(f"{x:.6g}" for x in row) + "\n" for row in vectors))
    files.write_text(folder / "metadata.tsv", _metadata(points))
    with files.atomic_path(folder / "sprite.png") as temporary:
        sprite.save(temporary, format="PNG")
    files.write_text(folder / "projector_config.pbtxt", text_format.MessageToString(config))
    # TensorBoard reads the files of a run only, and a run is a folder with events.
    description = "Reconstructions among training images: choose PROJECTOR in the menu above, and colour by kind."
    write = functools.partial(tf.summary.text, "projector", description, step=0)
    write_runs(logdir, {folder.name: [write]}, f".tfinv-projector-{folder.name}")
    return folder


def _check(points: Sequence[Points]) -> None:
    if not points or not all(len(p.features) for p in points):
        raise expected("at least one point of each kind", [len(p.features) for p in points])
    total = sum(len(p.features) for p in points)
    if total > _MAX_POINTS:
        raise expected(f"at most {_MAX_POINTS:,} points", f"{total:,}", "Take a part of the training images.")
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
    # A tab or a line end would misalign the metadata of all later points.
    return " ".join("".join(c if c.isprintable() else " " for c in str(text)).split()) or "-"


def _resampling(scale: float) -> PIL.Image.Resampling:
    # The pixels are the evidence, so they are not smoothed where there is room for all.
    return PIL.Image.Resampling.NEAREST if scale >= 1 else PIL.Image.Resampling.BOX


def _sprite(points: Sequence[Points]) -> tuple[PIL.Image.Image, tuple[int, int]]:
    count = sum(len(p.images) for p in points)
    columns = math.ceil(math.sqrt(count))
    height, width = points[0].images.shape[1:3]
    scale = min(_MAX_SIDE, _MAX_SPRITE // columns) / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    sprite = PIL.Image.new("RGB", (columns * size[0], columns * size[1]), "white")
    index, edge = 0, max(1, min(size) // 10)
    for k, p in enumerate(points):
        frame_colour = canvas.COLOURS[k % len(canvas.COLOURS)] if k else None
        for image in p.images:
            pixels = np.round(255 * canvas.check_image(image, f"the points {p.kind!r}")).astype(np.uint8)
            picture = PIL.Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).convert("RGB")
            picture = picture.resize(size, _resampling(scale))
            if frame_colour:
                frame = PIL.Image.new("RGB", size, frame_colour)
                frame.paste(picture.crop((edge, edge, size[0] - edge, size[1] - edge)), (edge, edge))
                picture = frame
            sprite.paste(picture, (index % columns * size[0], index // columns * size[1]))
            index += 1
    return sprite, size
