"""The registry of defences, and their text form: `mid(beta=.01)`, `trades(eps=.3,ramp=.3)+reversal(strength=3)`."""

from collections.abc import Mapping

from tfinv import catalogue, specs
from tfinv.catalogue import Registry
from tfinv.errors import expected
from tfinv.training.combined import CombinedDefence
from tfinv.training.defence import Defence

DEFENCES: Mapping[str, type[Defence]] = Registry(catalogue.DEFENCES)


def defence(spec: str) -> Defence:
    """Returns the defence of a spec such as `nls` or `adversarial(eps=.1,ramp=.5)`, or two joined by `+` (see `CombinedDefence`).

    Raises:
      UserError: unknown name or argument, a value that the defence refuses, or two that can't be combined.
    """
    parts = specs.parse_list(spec, "+")
    if len(parts) > 2:
        raise expected("at most two defences", " and ".join(parts), "Change --defense.")
    if len(parts) < 2:
        return specs.build(DEFENCES, spec)
    return CombinedDefence(*(specs.build(DEFENCES, part) for part in parts))


def show(value: Defence) -> str:
    """Returns the canonical spec of a defence, the shortest."""
    if isinstance(value, CombinedDefence):
        return f"{show(value.recipe)}+{show(value.destruction)}"
    return specs.show(value.NAME, value)


def canonical(spec: str) -> str:
    """Returns the canonical spec of the same defence.

    Raises:
      UserError: see `defence`.
    """
    return show(defence(spec))


__all__ = ["DEFENCES", "CombinedDefence", "Defence", "canonical", "defence", "show"]
