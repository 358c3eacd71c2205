"""The two trained networks of the benchmark, saved as .keras in the workdir, and their test images."""

import dataclasses
import functools
import pathlib
from collections.abc import Callable

import keras
import numpy as np

from benchmarks.settings import Scale
from tfinv import datasets, files
from tfinv.datasets import Dataset
from tfinv.models.cnn import cnn
from tfinv.models.resnet import resnet
from tfinv.runs.workdir import Workdir
from tfinv.training.fit import fit


@dataclasses.dataclass(frozen=True)
class Net:
    """A trained network.

    Attributes:
      title: for the page.
      architecture: (input_shape, num_classes) to a model that gives logits.
      data: the names of the data set to train and attack on, and of one to fall back on without a data folder.
      batch_size: of every contestant.
      eps: at which the robust accuracy of the trained network under PGD is middling.
      attack_images: at most so many in the table of seconds, where the slowest peer decides how long it takes.
      attack_repetitions: at most so many, likewise.
      precision_images: at most so many in the table of half precision.
    """

    title: str
    architecture: Callable[..., keras.Model]
    data: tuple[str, str]
    batch_size: int
    eps: float
    attack_images: int = 512
    attack_repetitions: int = 1
    precision_images: int = 2000


NETS = {
    "cnn": Net("conv net, 28x28x1", cnn, ("mnist", "mnist5k"), 256, 0.12),
    "resnet": Net("ResNet-20, 32x32x3", resnet, ("cifar10", "cifar10"), 128, 0.75 / 255, 96, 1, 500),
}


class Zoo:
    """Trained networks and their test images; each network is trained on its first use.

    Args:
      workdir: where the networks and images are saved.
      data_dir: of `datasets.load`; None for the data sets that need none.
      scale: how much training.
      seed: of weights and order.
    """

    def __init__(self, workdir: Workdir, data_dir: str | None, scale: Scale, seed: int):
        self._workdir, self._data_dir, self._scale, self._seed = workdir, data_dir, scale, seed

    def data_name(self, name: str) -> str:
        """Returns the name of the data set that this run uses for a network."""
        return NETS[name].data[0 if self._data_dir else 1]

    def model_path(self, name: str) -> pathlib.Path:
        """Returns the path of a trained network."""
        self.model(name)
        return self._workdir.path / "models" / f"{name}.keras"

    def model(self, name: str) -> keras.Model:
        """Returns the trained network."""
        return self._workdir.model(name, functools.partial(self._train, name))

    def test(self, name: str) -> Dataset:
        """Returns the test images of a network, repeated up to 10,000 where there are fewer."""
        data = datasets.load(self.data_name(name), "test", data_dir=self._data_dir, seed=self._seed)
        return data.subset(np.arange(max(len(data), 10_000)) % len(data))

    def test_path(self, name: str) -> pathlib.Path:
        """Returns the path of its test images as an .npz file, for processes that should not load TensorFlow Datasets."""
        path = self._workdir.path / "data" / f"{name}.npz"
        if not path.exists():
            data = self.test(name)
            with files.atomic_path(path) as temporary:
                np.savez(temporary, images=data.pixels, labels=data.labels)
        return path

    def _train(self, name: str, folder: pathlib.Path) -> keras.Model:
        keras.utils.set_random_seed(self._seed)
        train = datasets.load(
            self.data_name(name),
            "train",
            data_dir=self._data_dir,
            limit=self._scale.train_images,
            seed=self._seed,
        )
        model = NETS[name].architecture(train.image_shape, train.num_classes)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.Adam(1e-3), loss, metrics=["accuracy"])
        print(f"training {name} on {train!r}", flush=True)
        fit(model, train, epochs=self._scale.epochs, seed=self._seed, workdir=folder, verbose=2)
        return model
