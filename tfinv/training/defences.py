"""The registry of defences, and their text form: `mid(beta=.01)`, `trades(eps=.3,ramp=.3)+reversal(strength=3)`."""

from tfinv import specs
from tfinv.errors import expected
from tfinv.training.adversarial import Adversarial
from tfinv.training.atat import ATAT
from tfinv.training.bido import BiDO
from tfinv.training.combined import Combined
from tfinv.training.defence import Defence, Undefended
from tfinv.training.destruction import Positive, Reversal, Shuffled
from tfinv.training.dp_sgd import DPSGD
from tfinv.training.fast import NFGSM, Fast
from tfinv.training.free import Free
from tfinv.training.mart import Mart
from tfinv.training.mid import MID
from tfinv.training.nls import NLS
from tfinv.training.rounding import Rounding
from tfinv.training.trades import Trades

DEFENCES: dict[str, type[Defence]] = {
    cls.NAME: cls
    for cls in (
        Undefended,
        Positive,
        Reversal,
        Shuffled,
        NLS,
        MID,
        BiDO,
        ATAT,
        Adversarial,
        Fast,
        NFGSM,
        Free,
        Trades,
        Mart,
        DPSGD,
        Rounding,
    )
}


def defence(spec: str) -> Defence:
    """The defence that a text names, such as `nls` or `adversarial(eps=.1,ramp=.5)`, or two joined by `+`, see `Combined`.

    Raises:
      UserError: unknown name or argument, a value that the defence refuses, or two that can't be combined.
    """
    parts = specs.parse_list(spec, "+")
    if len(parts) > 2:
        raise expected("at most two defences", " and ".join(parts), "Change --defense.")
    if len(parts) < 2:
        return specs.build(DEFENCES, spec)
    return Combined(*(specs.build(DEFENCES, part) for part in parts))


def show(value: Defence) -> str:
    """The shortest text that `defence` reads back as the same."""
    if isinstance(value, Combined):
        return f"{show(value.recipe)}+{show(value.destruction)}"
    return specs.show(value.NAME, value)


def normal(spec: str) -> str:
    """The shortest text of the same defence.

    Raises:
      UserError: see `defence`.
    """
    return show(defence(spec))


__all__ = ["DEFENCES", "Combined", "Defence", "defence", "normal", "show"]
