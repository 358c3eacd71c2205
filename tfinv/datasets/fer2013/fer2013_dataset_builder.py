"""FER2013: facial expressions, as Kaggle distributes them."""

import io
import tarfile
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from tfinv.errors import UserError, expected

_SIDE = 48
_HEADER = "emotion,pixels,Usage"
_USAGES = {"train": "Training", "validation": "PublicTest", "test": "PrivateTest"}
CLASS_NAMES = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")


class Builder(tfds.core.GeneratorBasedBuilder):
    """Grey faces with one of seven expressions, in the order of the file.

    Training is the split "train", PublicTest "validation" and PrivateTest "test".
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "First release."}  # noqa: RUF012  as TFDS declares it
    MANUAL_FILES = ("fer2013.csv", "fer2013.tar.gz")
    MANUAL_DOWNLOAD_INSTRUCTIONS = """\
    Download fer2013.tar.gz from
    https://www.kaggle.com/c/challenges-in-representation-learning-facial-expression-recognition-challenge/data
    and put it, or the fer2013.csv that it contains, there.
    """
    NUM_EXAMPLES = {"train": 28709, "validation": 3589, "test": 3589}  # noqa: RUF012  replaced in tests

    def _info(self) -> Any:
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(shape=(_SIDE, _SIDE, 1), encoding_format="png"),
                    "label": tfds.features.ClassLabel(names=list(CLASS_NAMES)),
                }
            ),
            supervised_keys=("image", "label"),
            homepage="https://www.kaggle.com/c/challenges-in-representation-learning-facial-expression-recognition-challenge",
            disable_shuffling=True,
        )

    def _split_generators(self, dl_manager: Any) -> dict[str, Any]:
        paths = [dl_manager.manual_dir / name for name in self.MANUAL_FILES]
        found = [path for path in paths if path.exists()]
        if not found:
            raise expected(" or ".join(str(path) for path in paths), "no such file")
        return {split: self._generate_examples(found[0], split) for split in _USAGES}

    def _generate_examples(self, path: Any, split: str) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yields (index, example) of a split. Every row's form is checked, of the other splits too."""
        count = 0
        try:
            for number, line in enumerate(_lines(path), 1):
                if number == 1:
                    if line.strip() != _HEADER:
                        raise _broken(path, 1, f"the header {line.strip()[:80]!r}, not {_HEADER}")
                    continue
                fields = line.rstrip("\r\n").split(",")
                if len(fields) != 3 or fields[2] not in _USAGES.values():
                    raise _broken(path, number, f"not the three fields {_HEADER}: {line[:40]!r}")
                if fields[2] == _USAGES[split]:
                    yield count, _example(path, number, *fields[:2])
                    count += 1
        except (OSError, EOFError, UnicodeDecodeError, tarfile.TarError, zlib.error) as error:
            raise expected("a whole file of FER2013", f"{path} ({error})", "Download it again.") from error
        if count != self.NUM_EXAMPLES[split]:
            what = f"{self.NUM_EXAMPLES[split]} rows of {_USAGES[split]} in {path}"
            raise expected(what, f"{count}", "Download it again.")


def _lines(path: Any) -> Iterator[str]:
    """The lines of the .csv file, or of the one in the archive, which is never extracted to disk."""
    with path.open("rb") as file:
        if path.suffix == ".csv":
            with io.TextIOWrapper(file, encoding="ascii") as text:
                yield from text
            return
        with tarfile.open(fileobj=file, mode="r:gz") as archive:
            for member in archive:
                if member.isfile() and member.name.rpartition("/")[2] == "fer2013.csv":
                    content = archive.extractfile(member)
                    assert content is not None  # since it is a file
                    with io.TextIOWrapper(content, encoding="ascii") as text:
                        yield from text
                    return
    raise expected("fer2013.csv in the archive", f"{path} without it", "Download it again.")


def _example(path: Any, number: int, emotion: str, pixels: str) -> dict[str, Any]:
    try:
        label = int(emotion)
        levels = np.array([int(level) for level in pixels.split()])
    except ValueError as error:
        raise _broken(path, number, str(error)) from error
    if not 0 <= label < len(CLASS_NAMES):
        raise _broken(path, number, f"emotion {label}")
    if levels.size != _SIDE * _SIDE or levels.min() < 0 or levels.max() > 255:
        raise _broken(path, number, f"{levels.size} grey levels, or some outside 0..255")
    return {"image": levels.astype(np.uint8).reshape(_SIDE, _SIDE, 1), "label": label}


def _broken(path: Any, number: int, reason: str) -> UserError:
    what = "rows of emotion 0..6, 2304 grey levels 0..255, and Training, PublicTest or PrivateTest"
    return expected(what, f"{path} line {number}: {reason}", "Download it again.")
