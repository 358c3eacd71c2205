"""FER2013: facial expressions, as distributed by Kaggle."""

from collections.abc import Iterator
from typing import Any

import tensorflow_datasets as tfds

from tfinv.datasets.fer2013 import kaggle
from tfinv.errors import expected

CLASS_NAMES = kaggle.CLASS_NAMES


class Builder(tfds.core.GeneratorBasedBuilder):
    """Grey faces with one of seven expressions, in the order of the file, or of the numbers of the pictures.

    Training is the split "train", PublicTest "validation" and PrivateTest "test". Folders of pictures may have the last two in one,
    which then is "test".
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "First release."}  # noqa: RUF012  as TFDS declares it
    MANUAL_FILES = (
        "fer2013.csv",
        "fer2013.tar.gz",
        "icml_face_data.csv",
        "fer2013/fer2013.csv",
        "fer2013/icml_face_data.csv",
        "fer2013/train",
    )
    MANUAL_DOWNLOAD_INSTRUCTIONS = """\
    Download fer2013.tar.gz from
    https://www.kaggle.com/c/challenges-in-representation-learning-facial-expression-recognition-challenge/data
    and put it, or the fer2013.csv that it contains, there. Kaggle's other copies will do as well: icml_face_data.csv, or the
    folders train and test of pictures, in a folder fer2013.
    """
    NUM_EXAMPLES = {"train": 28709, "validation": 3589, "test": 3589}  # noqa: RUF012  replaced in tests

    def _info(self) -> Any:
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(shape=(kaggle.SIDE, kaggle.SIDE, 1), encoding_format="png"),
                    "label": tfds.features.ClassLabel(names=list(CLASS_NAMES)),
                }
            ),
            supervised_keys=("image", "label"),
            homepage="https://www.kaggle.com/c/challenges-in-representation-learning-facial-expression-recognition-challenge",
            disable_shuffling=True,
        )

    def _split_generators(self, dl_manager: Any) -> dict[str, Any]:
        paths = [dl_manager.manual_dir / name for name in self.MANUAL_FILES]
        existing = [path for path in paths if path.exists()]
        if not existing:
            raise expected(" or ".join(str(path) for path in paths), "no such file")
        path = existing[0].parent if existing[0].is_dir() else existing[0]
        return {split: self._generate_examples(path, split) for split in kaggle.splits_of(path)}

    def _generate_examples(self, path: Any, split: str) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yields (index, example) of a split."""
        count = 0
        for example in kaggle.examples(path, split):
            yield count, example
            count += 1
        number = self.NUM_EXAMPLES[split]
        if split == "test" and "validation" not in kaggle.splits_of(path):
            number += self.NUM_EXAMPLES["validation"]
        if count != number:
            what = f"pictures of {split}" if path.is_dir() else f"rows of {kaggle.USAGES[split]}"
            raise expected(f"{number} {what} in {path}", f"{count}", "Download it again.")
