"""Flags that commands share: the same name means the same everywhere."""

from collections.abc import Callable
from typing import Any

from absl import flags

from tfinv import catalogue, paths, specs
from tfinv.errors import UserError, expected
from tfinv_cli.common.forms import ARCHITECTURE, ATTACK, EVALUATOR, INVERSION, Form, FormParser

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
        """Type of the flag in the help."""
        return "numbers, such as 0.05,8/255"


class _Wholes(_Numbers):
    """Comma-separated whole numbers."""

    def parse(self, argument):
        """A list of ints."""
        numbers = super().parse(argument)
        if any(value != int(value) for value in numbers):
            raise expected("whole numbers separated by commas", repr(argument))
        return [int(value) for value in numbers]

    def flag_type(self):
        """Type of the flag in the help."""
        return "whole numbers, such as 0,3,7"


class _Texts(flags.ArgumentParser):
    """Comma-separated texts; commas inside parentheses belong to a text."""

    def __init__(self, example: str):
        super().__init__()
        self._example = example

    def parse(self, argument):
        """A list of texts."""
        texts = list(argument) if isinstance(argument, (list, tuple)) else specs.parse_list(str(argument))
        if not texts:
            raise expected("at least one", "none")
        return texts

    def flag_type(self):
        """Type of the flag in the help."""
        return f"one or several, such as {self._example}"


class _Path(flags.ArgumentParser):
    """A path, in which `~` and variables mean what they mean to a shell."""

    def parse(self, argument):
        """The expanded text."""
        return paths.expand_text(argument)

    def flag_type(self):
        """Type of the flag in the help."""
        return "path"


class _Serializer(flags.ArgumentSerializer):
    def serialize(self, value):
        return ",".join(str(v) for v in value)


def _define(parser: flags.ArgumentParser, name: str, default: Any, help_text: str, several: bool = False) -> Define:
    def define(values):
        serializer = _Serializer() if several else flags.ArgumentSerializer()
        flags.DEFINE(parser, name, default, help_text, values, serializer)

    return define


def numbers(name: str, default: Any, help_text: str) -> Define:
    """A flag of several numbers."""
    return _define(_Numbers(), name, default, help_text, several=True)


def wholes(name: str, default: Any, help_text: str) -> Define:
    """A flag of several whole numbers."""
    return _define(_Wholes(), name, default, help_text, several=True)


def forms(name: str, default: Any, form: Form, help_text: str) -> Define:
    """A flag of several text forms."""
    return _define(FormParser(form, several=True), name, default, help_text, several=True)


def form(name: str, default: str | None, kind: Form, help_text: str) -> Define:
    """A flag of one text form."""
    return _define(FormParser(kind, several=False), name, default, help_text)


def texts(name: str, default: Any, help_text: str, example: str) -> Define:
    """A flag of several texts."""
    return _define(_Texts(example), name, default, help_text, several=True)


def path(name: str, default: str | None, help_text: str) -> Define:
    """A flag of one path, or of a name in its place."""
    return _define(_Path(), name, default, help_text)


def text(name: str, default: Any, help_text: str) -> Define:
    """A flag of one text."""
    return lambda values: flags.DEFINE_string(name, default, help_text, flag_values=values)


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


def choices(name: str, default: Any, among: Any, help_text: str) -> Define:
    """A flag with a few possible values, which may be repeated."""
    return lambda values: flags.DEFINE_multi_enum(name, default, list(among), help_text, flag_values=values)


def switch(name: str, default: bool, help_text: str) -> Define:
    """A flag that is on or off."""
    return lambda values: flags.DEFINE_bool(name, default, help_text, flag_values=values)


DATA_DIR = path("data_dir", None, "Folder of the data sets; otherwise the variable TFINV_DATA_DIR names it.")
WORKDIR = path("workdir", None, "Folder for everything the command writes.")
RESUME = switch(
    "resume", True, "Go on with what a run of the same flags left in --workdir; with --noresume refuse such a folder."
)
VERBOSE = switch("verbose", False, "Print all tables and checks at the end, not only verdict and failed checks.")
MOST_SEED = 2**31 - 1  # seeds are 32-bit integers in TensorFlow
SEED = whole("seed", 0, "Of everything random; the same seed gives the same numbers.", most=MOST_SEED)
SEEDS = whole("seeds", 1, "How many seeds, from --seed on.", 1)
BATCH_SIZE = whole("batch_size", 128, "Images in one step or one compiled call.", 1)
LIMIT = whole("limit", None, "Only the first so many images.", 1)
SPLIT = choice("split", "test", catalogue.SPLITS, "Which part of the data set.")
EPS = numbers("eps", [0.05, 0.1, 0.25], "Budgets, as fractions of the bounds' width.")
GRADIENTS_HELP = (
    "What computes the gradients: the model, a copy with batch norm folded in, or that in half precision. "
    "Success is decided by the model itself in each case."
)
GRADIENTS = choice("gradients", "folded", catalogue.GRADIENTS, GRADIENTS_HELP)
METHODS = forms(
    "methods",
    ["miface", "gradient"],
    INVERSION,
    "Inversions, of docs/inversion.md: miface, gradient(start=noise), gmi, ...",
)
AUXILIARY = path(
    "auxiliary", None, "Another data set that the attacker has, without labels that mean anything to the model."
)
LABELS = wholes("labels", None, "Classes to reconstruct, as numbers from 0; otherwise all.")
IMAGE_SIZE = wholes("image_size", None, "Height and width that the images are resized to, such as 56,46.")


def attacks(default: list[str] | None, help_text: str | None = None) -> Define:
    """--attacks, whose default differs."""
    usual = (
        "Attacks, with arguments in parentheses, such as autoattack or pgd(steps=40,restarts=5,norm=l2); docs/attacks.md "
        "has them all."
    )
    return forms("attacks", default, ATTACK, help_text or usual)


SURROGATE = path(
    "surrogate",
    None,
    "A Keras model like the one under attack, such as the network that a .tflite or .onnx file was made from: attacks that need "
    "gradients take its gradients, and the results have the accuracy of both.",
)


def curve(default: str) -> Define:
    """--curve, whose default differs."""
    return choice(
        "curve",
        default,
        catalogue.CURVES,
        "How a curve over several eps is made: bisected looks for each image's own threshold, in less time; "
        "independent runs the attack anew at each eps, which a check of the curve's form needs.",
    )


def architecture(default: str | None) -> Define:
    """--architecture, whose default differs."""
    return form(
        "architecture",
        default,
        ARCHITECTURE,
        f"Which network: {', '.join(catalogue.ARCHITECTURES)}; with arguments in parentheses, as in "
        "resnet(depth=32,width=32). docs/models.md has them all.",
    )


def dataset(default: str | None) -> Define:
    """--dataset, whose default differs."""
    return path(
        "dataset", default, "mnist5k, mnist, cifar10, att_faces, fer2013, or the path of class folders or an .npz."
    )


def epochs(default: int) -> Define:
    """--epochs, whose default differs."""
    return whole("epochs", default, "Passes over the training images.", 1)


def evaluators(default: list[str] | None) -> Define:
    """--evaluators."""
    return forms(
        "evaluators",
        default,
        EVALUATOR,
        "Networks that measure: ARCHITECTURE, not the model's own, or ARCHITECTURE+adversarial, such as cnn+adversarial.",
    )


def workers(default: int | None) -> Define:
    """--workers, whose default differs."""
    return whole(
        "workers", default, "Processes of this machine that share the work, each with its part of the cores.", 1
    )


SCHEDULER = path(
    "scheduler",
    None,
    "Address of a running Dask scheduler, such as tcp://host:8786, or its scheduler file, in place of --workers; its workers "
    "share the work, and see --workdir. docs/scale.md says more.",
)
SHARING = (workers(1), SCHEDULER)
