"""Data sets: `load(name, split)` returns a `Dataset` of images and labels in memory.

Names are `mnist5k`, which is embedded; `mnist` and `cifar10`, which TensorFlow Datasets must have prepared;
`att_faces` and `fer2013`, which are prepared on first use from manually downloaded files; or the path
of a folder of class folders or of an .npz file. Nothing here uses the network.
"""

from tfinv.datasets.dataset import Dataset
from tfinv.datasets.loading import NAMES, load

__all__ = ["NAMES", "Dataset", "load"]
