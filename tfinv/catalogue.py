"""Names that a flag or a text form may hold, and where each is implemented; known without TensorFlow.

An attack, an inversion, a membership attack, an architecture, a defence or an augmentation is entered here, once. `Registry`
imports it when it is asked for, so that a command line can list and check names at once.
"""

import importlib
import importlib.resources
from collections.abc import Iterator, Mapping
from importlib.resources.abc import Traversable
from typing import Any

from tfinv import paths
from tfinv.errors import UserError, expected

# Values are "module:attribute".
ATTACKS = {
    "fgsm": "tfinv.attacks.fgsm:FGSM",
    "rfgsm": "tfinv.attacks.fgsm:RFGSM",
    "nfgsm": "tfinv.attacks.fgsm:NFGSM",
    "bim": "tfinv.attacks.pgd:BIM",
    "pgd": "tfinv.attacks.pgd:PGD",
    "mifgsm": "tfinv.attacks.momentum:MIFGSM",
    "difgsm": "tfinv.attacks.momentum:DIFGSM",
    "tifgsm": "tfinv.attacks.momentum:TIFGSM",
    "apgd": "tfinv.attacks.apgd:APGD",
    "apgdt": "tfinv.attacks.apgd:APGDT",
    "fab": "tfinv.attacks.fab:FAB",
    "autoattack": "tfinv.attacks.combination:AutoAttack",
    "worst_case": "tfinv.attacks.combination:WorstCase",
    "deepfool": "tfinv.attacks.deepfool:DeepFool",
    "cw": "tfinv.attacks.carlini_wagner:CarliniWagner",
    "ead": "tfinv.attacks.ead:EAD",
    "fmn": "tfinv.attacks.fmn:FMN",
    "noise": "tfinv.attacks.noise:Noise",
    "square": "tfinv.attacks.square:Square",
    "hopskipjump": "tfinv.attacks.hopskipjump:HopSkipJump",
    "boundary": "tfinv.attacks.boundary:Boundary",
    "transfer": "tfinv.attacks.transfer:Transfer",
}
INVERSIONS = {
    "gradient": "tfinv.inversion.gradient:Gradient",
    "miface": "tfinv.inversion.miface:MIFace",
    "projected": "tfinv.inversion.projected:Projected",
    "multiscale": "tfinv.inversion.multiscale:Multiscale",
    "laplacian": "tfinv.inversion.laplacian:Laplacian",
    "deepinversion": "tfinv.inversion.deepinversion:DeepInversion",
    "brep": "tfinv.inversion.brep:BREP",
    "gmi": "tfinv.inversion.gmi:GMI",
    "plg": "tfinv.inversion.plg:PLG",
    "miface_dae": "tfinv.inversion.miface_dae:MIFaceDAE",
    "network": "tfinv.inversion.network:Network",
}
# Those whose number of steps a comparison sets; the others have numbers of their own.
STEPPED_INVERSIONS = ("gmi", "gradient", "miface")
# Membership attacks: first those without, then those with shadow models.
MEMBERSHIP = {
    "gap": "tfinv.membership.thresholds:Gap",
    "confidence": "tfinv.membership.thresholds:Confidence",
    "entropy": "tfinv.membership.thresholds:Entropy",
    "modified_entropy": "tfinv.membership.thresholds:ModifiedEntropy",
    "loss": "tfinv.membership.thresholds:Loss",
    "boundary": "tfinv.membership.boundary:BoundaryDistance",
    "agreement": "tfinv.membership.agreement:Agreement",
    "quantile": "tfinv.membership.quantile:Quantile",
    "trajectory": "tfinv.membership.trajectory:Trajectory",
    "shokri": "tfinv.membership.shadows.shokri:Shokri",
    "lira": "tfinv.membership.shadows.lira:LiRA",
    "rmia": "tfinv.membership.shadows.rmia:RMIA",
    "base": "tfinv.membership.shadows.base_attack:BASE",
    "bavaria": "tfinv.membership.shadows.bavaria:BaVarIA",
}
ARCHITECTURES = {
    "softmax": "tfinv.models.softmax:softmax",
    "mlp": "tfinv.models.mlp:mlp",
    "cnn": "tfinv.models.cnn:cnn",
    "convnet": "tfinv.models.cnn:convnet",
    "vgg16": "tfinv.models.vgg16:vgg16",
    "resnet": "tfinv.models.resnet:resnet",
    "resnet18": "tfinv.models.resnet:resnet18",
}
DEFENCES = {
    "none": "tfinv.training.defence:Undefended",
    "positive": "tfinv.training.destruction:Positive",
    "reversal": "tfinv.training.destruction:Reversal",
    "shuffled": "tfinv.training.destruction:Shuffled",
    "nls": "tfinv.training.nls:NLS",
    "mid": "tfinv.training.mid:MID",
    "bido": "tfinv.training.bido:BiDO",
    "atat": "tfinv.training.atat:ATAT",
    "adversarial": "tfinv.training.adversarial:Adversarial",
    "fast": "tfinv.training.fast:Fast",
    "nfgsm": "tfinv.training.fast:NFGSM",
    "free": "tfinv.training.free:Free",
    "trades": "tfinv.training.trades:Trades",
    "mart": "tfinv.training.mart:Mart",
    "dp_sgd": "tfinv.training.dp_sgd:DPSGD",
    "rounding": "tfinv.training.rounding:Rounding",
}
AUGMENTATIONS = {
    "none": "tfinv.training.augmentation:none",
    "crop": "tfinv.training.augmentation:crop",
    "crop_flip": "tfinv.training.augmentation:crop_flip",
}

# Copies of a model that may compute its gradients: the model, one with batch norm folded in, or that in half precision.
GRADIENTS = ("plain", "folded", "bfloat16")
OUTPUTS = ("logits", "probabilities")
CHANNELS = ("rgb", "bgr")
RESIZING = ("keras", "pillow")
IMAGE_FILES = ("npy", "npz", "png", "tfrecord", "none")
CURVES = ("independent", "bisected")
OPTIMIZERS = ("adam", "sgd")
RATE_SCHEDULES = ("cosine", "cyclic", "piecewise", "constant")
WEIGHTS = ("kept", "new")
PRECISIONS = ("float32", "mixed_bfloat16")
DISTRIBUTIONS = ("none", "mirrored", "multi_worker")
BUDGETS = ("quick", "standard", "thorough")
QUESTIONS = ("accuracy", "calibration", "corruptions", "robustness", "inversion", "membership")
REVERSAL_BOUNDS = ("none", "mean", "class_mean", "normalised")
DATASETS = ("mnist5k", "mnist", "cifar10", "att_faces", "fer2013")
SPLITS = ("train", "validation", "test", "all")


def check_dataset(name: str) -> None:
    """Checks that there is a data set of a name, or a folder or an .npz file of a path, without reading it.

    Raises:
      UserError: there is none.
    """
    if name in DATASETS:
        return
    path = paths.expand(name)
    if not (path.is_dir() or (path.is_file() and path.suffix.lower() == ".npz")):
        raise unknown_dataset(name)


def unknown_dataset(name: str) -> UserError:
    """Returns (does not raise) the error for a name of no data set."""
    expectation = f"one of {', '.join(DATASETS)}, or the path of a folder of class folders or of an .npz file"
    return expected(expectation, repr(name), "Change --dataset.")


# The files of the pretrained models, of each NAME.keras and its card NAME.json.
PRETRAINED: Traversable = importlib.resources.files("tfinv") / "models" / "data"


def pretrained_names() -> list[str]:
    """Returns the names of the pretrained models in the package."""
    if not PRETRAINED.is_dir():
        return []
    return sorted(file.name.removesuffix(".keras") for file in PRETRAINED.iterdir() if file.name.endswith(".keras"))


class Registry(Mapping[str, Any]):
    """The objects behind the names of a catalogue.

    Args:
      paths: of each name its "module:attribute".
    """

    def __init__(self, paths: Mapping[str, str]):
        self._paths = paths

    def __getitem__(self, name: str) -> Any:
        module, _, attribute = self._paths[name].partition(":")
        return getattr(importlib.import_module(module), attribute)

    def __iter__(self) -> Iterator[str]:
        return iter(self._paths)

    def __len__(self) -> int:
        return len(self._paths)
