"""The registry of defences, and their text form: `mid(beta=.01)`, `reversal(strength=10,weight=1,bound=class_mean)`."""

from tfinv import specs
from tfinv.training.adversarial import Adversarial
from tfinv.training.atat import ATAT
from tfinv.training.bido import BiDO
from tfinv.training.defence import Defence, Undefended
from tfinv.training.destruction import Positive, Reversal, Shuffled
from tfinv.training.dp_sgd import DPSGD
from tfinv.training.mid import MID
from tfinv.training.nls import NLS
from tfinv.training.rounding import Rounding

DEFENCES: dict[str, type[Defence]] = {
    cls.NAME: cls
    for cls in (Undefended, Positive, Reversal, Shuffled, NLS, MID, BiDO, ATAT, Adversarial, DPSGD, Rounding)
}


def defence(spec: str) -> Defence:
    """The defence that a text names, such as `nls` or `adversarial(eps=.1,ramp=.5)`.

    Raises:
      UserError: unknown name or argument, or a value that the defence refuses.
    """
    return specs.build(DEFENCES, spec)


def show(value: Defence) -> str:
    """The shortest text that `defence` reads back as the same."""
    return specs.show(value.NAME, value)


__all__ = ["DEFENCES", "Defence", "defence", "show"]
