"""The flags that commands share: the same name means the same everywhere."""

from collections.abc import Callable
from typing import Any

from absl import flags

from tfinv import classifier, models, specs
from tfinv.errors import UserError, expected

Define = Callable[[flags.FlagValues], Any]


class _Numbers(flags.ArgumentParser):
    """Comma-separated numbers or fractions."""

    def parse(self, argument):
        """A list of floats."""
        if isinstance(argument, (list, tuple)):
            return [float(a) for a in argument]
        try:
            return [specs.parse_number(part) for part in str(argument).split(",")]
        except UserError as error:
            raise expected("numbers separated by commas", repr(argument)) from error

    def flag_type(self):
        """Shown in the help."""
        return "numbers, such as 0.05,8/255"


class _Wholes(_Numbers):
    """Comma-separated whole numbers."""

    def parse(self, argument):
        """A list of ints."""
        found = super().parse(argument)
        if any(value != int(value) for value in found):
            raise expected("whole numbers separated by commas", repr(argument))
        return [int(value) for value in found]

    def flag_type(self):
        """Shown in the help."""
        return "whole numbers, such as 0,3,7"


class _Specs(flags.ArgumentParser):
    """Comma-separated specs; commas inside parentheses belong to the spec."""

    def __init__(self, normal: Callable[[str], str], example: str):
        super().__init__()
        self._normal, self._example = normal, example

    def parse(self, argument):
        """A list of texts.

        Raises:
          UserError: it is empty.
        """
        found = list(argument) if isinstance(argument, (list, tuple)) else specs.parse_list(str(argument))
        if not found:
            raise expected("at least one", "none")
        return [self._normal(form) for form in found]

    def flag_type(self):
        """Shown in the help."""
        return f"one or several, such as {self._example}"


class _Normal(flags.ArgumentParser):
    """A text form that is kept as its shortest one: however it is written, a workdir knows it again, and files are called by it."""

    def __init__(self, normal: Callable[[str], str], what: str):
        super().__init__()
        self._normal, self._what = normal, what

    def parse(self, argument):
        """The shortest form."""
        return self._normal(argument)

    def flag_type(self):
        """Shown in the help."""
        return self._what


def _join(values):
    return ",".join(str(v) for v in values)


def numbers(name: str, default: Any, help_text: str) -> Define:
    """A flag of several numbers."""

    def define(values):
        flags.DEFINE(_Numbers(), name, default, help_text, values, _Serializer())

    return define


def wholes(name: str, default: Any, help_text: str) -> Define:
    """A flag of several whole numbers."""

    def define(values):
        flags.DEFINE(_Wholes(), name, default, help_text, values, _Serializer())

    return define


def spec_list(name: str, default: Any, help_text: str, normal: Callable[[str], str] = str, *, example: str) -> Define:
    """A flag of several specs, each kept as `normal` makes of it."""

    def define(values):
        flags.DEFINE(_Specs(normal, example), name, default, help_text, values, _Serializer())

    return define


class _Serializer(flags.ArgumentSerializer):
    def serialize(self, value):
        return _join(value)


def text(name: str, default: Any, help_text: str) -> Define:
    """A flag of one text."""
    return lambda values: flags.DEFINE_string(name, default, help_text, flag_values=values)


def normal(name: str, default: str | None, form: Callable[[str], str], what: str, help_text: str) -> Define:
    """A flag of one text form, of which `form` makes the shortest."""

    def define(values):
        flags.DEFINE(_Normal(form, what), name, default, help_text, values, flags.ArgumentSerializer())

    return define


def architecture(default: str | None) -> Define:
    """--architecture, whose default differs."""
    return normal(
        "architecture",
        default,
        lambda form: models.normal(form, ""),
        "an architecture, such as cnn or resnet(depth=32,width=32)",
        f"Which network: {', '.join(models.MODELS)}; with arguments in parentheses, as in resnet(depth=32,width=32). "
        "docs/models.md has them all.",
    )


def whole(name: str, default: Any, help_text: str, least: int = 0, most: int | None = None) -> Define:
    """A flag of one whole number."""
    return lambda values: flags.DEFINE_integer(
        name, default, help_text, lower_bound=least, upper_bound=most, flag_values=values
    )


def real(name: str, default: Any, help_text: str) -> Define:
    """A flag of one number."""
    return lambda values: flags.DEFINE_float(name, default, help_text, flag_values=values)


def choice(name: str, default: Any, among: Any, help_text: str) -> Define:
    """A flag with a few possible values."""
    return lambda values: flags.DEFINE_enum(name, default, list(among), help_text, flag_values=values)


def switch(name: str, default: bool, help_text: str) -> Define:
    """A flag that is on or off."""
    return lambda values: flags.DEFINE_bool(name, default, help_text, flag_values=values)


DATA_DIR = text("data_dir", None, "Folder of the data sets; otherwise the variable TFINV_DATA_DIR names it.")
WORKDIR = text("workdir", None, "Folder for everything the command writes.")
RESUME = switch(
    "resume", True, "Go on with what a run of the same flags left in --workdir; with --noresume refuse such a folder."
)
MOST_SEED = 2**31 - 1  # seeds are 32-bit integers in TensorFlow
SEED = whole("seed", 0, "Of everything random; the same seed gives the same numbers.", most=MOST_SEED)
SEEDS = whole("seeds", 1, "How many seeds, from --seed on.", 1)
BATCH_SIZE = whole("batch_size", 128, "Images in one step or one compiled call.", 1)
LIMIT = whole("limit", None, "Only the first so many images.", 1)
SPLIT = choice("split", "test", ("train", "validation", "test", "all"), "Which part of the data set.")
MODEL = text("model", None, "Path of a model: .keras, .h5 or a SavedModel folder; or pretrained:NAME.")
BOUNDS = numbers("bounds", [0.0, 1.0], "Least and largest pixel value that the model takes: 0,1 or 0,255 or -1,1.")
OUTPUTS = choice("outputs", None, ("logits", "probabilities"), "What the model gives, where it can't be seen.")
UNSAFE = switch(
    "allow_unsafe_deserialization", False, "Load a model file even if it can run code. Only for files you trust."
)
EPS = numbers("eps", [0.05, 0.1, 0.25], "Budgets, as fractions of the bounds' width.")


def attacks(default: list[str] | None, help_text: str | None = None) -> Define:
    """--attacks, whose default differs."""
    usual = (
        "Attacks, with arguments in parentheses, such as autoattack or pgd(steps=40,restarts=5,norm=l2); docs/attacks.md "
        "has them all."
    )
    return spec_list("attacks", default, help_text or usual, example="fgsm,pgd(steps=40,restarts=5)")


CURVE_HELP = (
    "How a curve over several eps is made: bisected looks for each image's own threshold, in less time; "
    "independent runs the attack anew at each eps, which a check of the curve's form needs."
)
GRADIENTS_HELP = (
    "What computes the gradients: the model, a copy with batch norm folded in, or that in half precision. "
    "Success is decided by the model itself in each case."
)
GRADIENTS = choice("gradients", "folded", classifier.GRADIENTS, GRADIENTS_HELP)
METHODS = spec_list(
    "methods",
    ["miface", "gradient"],
    "Inversions, of docs/inversion.md: miface, gradient(start=noise), gmi, ...",
    example="gradient(start=noise),gmi",
)
AUXILIARY = text(
    "auxiliary", None, "Another data set that the attacker has, without labels that mean anything to the model."
)


LABELS = wholes("labels", None, "Classes to reconstruct, as numbers from 0; otherwise all.")
IMAGE_SIZE = wholes("image_size", None, "Height and width that the images are resized to, such as 56,46.")


def dataset(default: str | None) -> Define:
    """--dataset, whose default differs."""
    return text(
        "dataset", default, "mnist5k, mnist, cifar10, att_faces, fer2013, or the path of class folders or an .npz."
    )


def epochs(default: int) -> Define:
    """--epochs, whose default differs."""
    return whole("epochs", default, "Passes over the training images.", 1)


def evaluators(default: list[str] | None) -> Define:
    """--evaluators."""
    return spec_list(
        "evaluators",
        default,
        "Who judges: ARCHITECTURE, not the model's own, or ARCHITECTURE+adversarial, such as cnn+adversarial.",
        example="mlp,cnn+adversarial",
    )
