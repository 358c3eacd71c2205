"""Refusals of flags that need no TensorFlow: a file that isn't there is said at once, and not after seconds."""

from collections.abc import Callable
from typing import Any

from tfinv import catalogue, paths
from tfinv.errors import UsageError, expected, from_flag

_PRETRAINED = "pretrained:"


def check(values: Any) -> None:
    """Checks the flags that a command has, as far as that needs neither a model nor images.

    Raises:
      UserError: a file or a folder that isn't there, or is something else.
      UsageError: flags that exclude each other, or have too many values.
    """
    names = set(values)
    if "image_size" in names:
        image_size(values.image_size)
    if "bounds" in names:
        bounds(values)
    for name, verify in _CHECKS.items():
        if name in names and values[name].value:
            verify(values[name].value)
    if {"workers", "scheduler"} <= names:
        from tfinv.runs.cluster import Cluster

        Cluster(values.workers or 1, values.scheduler)


def image_size(size: list[int] | None) -> tuple[int, int] | None:
    """--image_size as a pair, or None."""
    if size is None:
        return None
    if len(size) != 2 or min(size) < 1:
        raise UsageError(f"Expected a height and a width. Received: {size}. Change --image_size, as in 56,46.")
    return size[0], size[1]


def bounds(values: Any) -> tuple[float, float] | None:
    """--bounds as a pair, or None."""
    if values.bounds is None:
        return None
    if len(values.bounds) != 2 or not values.bounds[0] < values.bounds[1]:
        raise UsageError(
            f"Expected two numbers, the lower first. Received: {values.bounds}. Change --bounds, as in 0,255."
        )
    return tuple(values.bounds)


def _model(path: str) -> None:
    """A file that holds no model is told by its first bytes, and so are PyTorch's files and pointers of Git LFS."""
    from tfinv.importing import kinds

    name = path.removeprefix(_PRETRAINED)
    if name == path:
        kinds.kind_of(paths.expand(path))
    elif name not in (names := catalogue.pretrained_names()):
        raise expected(f"a pretrained model among {', '.join(names)}", repr(name), "Change --model.")


def _surrogate(path: str) -> None:
    if not paths.expand(path).exists():
        raise expected("a surrogate that exists", repr(path), "Change --surrogate.")


def _auxiliary(name: str) -> None:
    with from_flag("--auxiliary"):
        catalogue.check_dataset(name)


def _workdir(path: str) -> None:
    folder = paths.expand(path)
    if folder.exists() and not folder.is_dir():
        raise expected("a folder", f"the file {folder}", "Change --workdir.")


_CHECKS: dict[str, Callable[[str], None]] = {
    "workdir": _workdir,
    "model": _model,
    "surrogate": _surrogate,
    "dataset": catalogue.check_dataset,
    "auxiliary": _auxiliary,
}
