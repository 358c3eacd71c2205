"""Flags of text forms, such as `pgd(steps=40)`: names are checked at once, arguments once TensorFlow is there."""

import dataclasses
import importlib
from collections.abc import Collection

from absl import flags

from tfinv import catalogue, specs
from tfinv.errors import expected


@dataclasses.dataclass(frozen=True)
class Form:
    """The text form of something, such as an attack.

    Attributes:
      example: of its flag, for the help.
      names: the valid names of each of its parts, which `+` joins.
      canonical: "module:function" that makes the canonical form, so that a workdir knows it again however it is written, and files
        are called by it; "" where the form is kept as it is typed.
    """

    example: str
    names: tuple[Collection[str], ...]
    canonical: str = ""

    def check(self, text: str) -> None:
        """Checks the names, for which nothing has to be imported.

        Raises:
          UserError: it is no text form, or has an unknown name.
        """
        for part, names in zip(specs.parse_list(text, "+"), self.names, strict=False):
            name, _ = specs.parse(part)
            if name not in names:
                raise expected(f"one of {', '.join(sorted(names))}", repr(name))

    def complete(self, text: str) -> str:
        """Returns the canonical form, which may need TensorFlow.

        Raises:
          UserError: an unknown argument, or a value of another type.
        """
        module, _, function = self.canonical.partition(":")
        return getattr(importlib.import_module(module), function)(text) if self.canonical else text


ATTACK = Form("fgsm,pgd(steps=40,restarts=5)", (catalogue.ATTACKS,))
INVERSION = Form("gradient(start=noise),gmi", (catalogue.INVERSIONS,))
MEMBERSHIP = Form("lira,rmia(online=False)", (catalogue.MEMBERSHIP,))
ARCHITECTURE = Form(
    "an architecture, such as cnn or resnet(depth=32,width=32)", (catalogue.ARCHITECTURES,), "tfinv.models:canonical"
)
DEFENCE = Form(
    "a defence, such as fast or mid(beta=.01)", (catalogue.DEFENCES,) * 2, "tfinv.training.defences:canonical"
)
DEFENCES = dataclasses.replace(DEFENCE, example="none,reversal,mid(beta=.01)")
REFERENCE_DEFENCES = dataclasses.replace(DEFENCE, example="none,adversarial")
AUGMENTATION = Form(
    "an augmentation, such as crop or crop(padding=2)",
    (catalogue.AUGMENTATIONS,),
    "tfinv.training.augmentation:canonical",
)
EVALUATOR = Form("mlp,cnn+adversarial", (catalogue.ARCHITECTURES, catalogue.DEFENCES))


class FormParser(flags.ArgumentParser):
    """Texts of a form.

    Args:
      form: of each.
      several: whether a value is a list of them.
    """

    def __init__(self, form: Form, several: bool):
        super().__init__()
        self.form, self.several = form, several

    def parse(self, argument):
        """A text, or a list of texts; commas inside parentheses belong to a text.

        Raises:
          UserError: a list is empty, or see `Form.check`.
        """
        texts = argument if isinstance(argument, (list, tuple)) else [argument]
        if self.several and isinstance(argument, str):
            texts = specs.parse_list(argument)
        if not texts:
            raise expected("at least one", "none")
        for text in texts:
            self.form.check(text)
        return list(texts) if self.several else argument

    def flag_type(self):
        """Type of the flag in the help."""
        return f"one or several, such as {self.form.example}" if self.several else self.form.example


def complete(flag: flags.Flag) -> None:
    """Replaces the text forms in a flag's value by their shortest, for which TensorFlow may be imported.

    Raises:
      UserError: see `Form.complete`.
    """
    parser, value = flag.parser, flag.value
    if isinstance(parser, FormParser) and value is not None:
        flag.value = [parser.form.complete(v) for v in value] if parser.several else parser.form.complete(value)
