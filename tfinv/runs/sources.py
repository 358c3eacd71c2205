"""Models and images by their names, as plain values that any process can load again."""

import contextlib
import dataclasses
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

import tfinv
from tfinv import datasets, files, models
from tfinv.classifier import Classifier
from tfinv.datasets import Dataset, classes
from tfinv.importing.custom_objects import objects_of
from tfinv.importing.probing import Setting
from tfinv.labels import read_class_names

_PRETRAINED = "pretrained:"


@dataclasses.dataclass(frozen=True)
class ModelSource:
    """A model in a file.

    Attributes:
      path: of the file or folder, or pretrained:NAME; a file of such a name is written ./pretrained:...
      arguments: of `load_classifier`. Class names may be a text as --class_names has it, and custom objects the name of a module.
    """

    path: str
    arguments: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def pretrained(self) -> str | None:
        """Name of a pretrained model; None for any other file."""
        return self.path.removeprefix(_PRETRAINED) if self.path.startswith(_PRETRAINED) else None

    def load(self, **changes: Any) -> Classifier:
        """Returns the classifier, with some arguments of `load_classifier` changed.

        Raises:
          UserError: see `load_classifier`.
        """
        arguments = {**self.arguments, **changes}
        if isinstance(arguments.get("class_names"), str):
            arguments["class_names"] = read_class_names(arguments["class_names"])
        if isinstance(arguments.get("custom_objects"), str):
            arguments["custom_objects"] = objects_of(arguments["custom_objects"])
        with self.file() as path:
            return tfinv.load_classifier(path, **arguments)

    def digest(self) -> str:
        """Returns the digest of the file or folder."""
        with self.file() as path:
            return files.digest(path)

    @contextlib.contextmanager
    def file(self) -> Iterator[str | pathlib.Path]:
        """Yields the path of the file, which may be a temporary copy."""
        if self.pretrained is None:
            yield self.path
        else:
            with models.pretrained_file(self.pretrained) as path:
                yield path

    def setting(self, classifier: Classifier) -> Setting:
        """Returns how the arguments make the model's input of images; the classifier gives the bounds."""
        return Setting(
            classifier.bounds, self.arguments.get("channels", "rgb"), self.arguments.get("preprocessing") or None
        )

    def load_bare(self, bounds: tuple[float, float]) -> Classifier:
        """Returns the classifier in the order RGB and without preprocessing, as `probe_preprocessing` needs it."""
        return self.load(bounds=bounds, channels="rgb", preprocessing="none")


@dataclasses.dataclass(frozen=True)
class ImageSource:
    """A data set by name.

    Attributes:
      name: see `datasets.load`.
      data_dir: see there.
      image_size: (height, width); None for that of the model.
      resize: see there.
      named: whether the user named the model's classes: then they must match those of the data set.
      channels: 1 or 3; None for those of the model, or as they come.
    """

    name: str
    data_dir: str | None = None
    image_size: tuple[int, int] | None = None
    resize: str | None = None
    named: bool = False
    channels: int | None = None

    def load(self, split: str, limit: int | None = None, classifier: Classifier | None = None) -> Dataset:
        """Returns a split in the size, the channels and the classes of the model, with notes on what was changed.

        Args:
          split: of the data set.
          limit: number of images, or None for all.
          classifier: whose images they are to be; None for images as they come.

        Raises:
          UserError: see `datasets.load`.
        """
        options: dict[str, Any] = {"data_dir": self.data_dir, "limit": limit, "image_size": self.image_size}
        options |= {"resize": self.resize, "channels": self.channels}
        if classifier is None:
            return datasets.load(self.name, split, **options)
        height, width, channels = classifier.input_shape
        options |= {"image_size": self.image_size or (height, width), "num_classes": classifier.num_classes}
        options["channels"] = self.channels or (channels if channels in (1, 3) else None)
        names = classifier.class_names
        try:
            return datasets.load(self.name, split, class_names=names, **options)
        except classes.MismatchError:
            if names is None or self.named:
                raise
        data = datasets.load(self.name, split, **options)
        note = (
            f"the model's own class names ({classes.show(names)}) are not those of the data set "
            f"({classes.show(data.class_names)}): labels are taken by number; if that is wrong, pass --class_names in the order "
            "of the model's outputs"
        )
        return dataclasses.replace(data, notes=(*data.notes, note))
