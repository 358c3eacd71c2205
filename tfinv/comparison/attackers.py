"""The inversions of the published comparisons, each with its budgets."""

import dataclasses
from collections.abc import Iterator, Sequence

from tfinv.datasets import Dataset
from tfinv.errors import expected
from tfinv.evaluation.measurement import CONVERGENCE, EQUAL
from tfinv.inversion import BREP, GMI, Gradient, Inversion, Knowledge, MIFace, Multiscale, Network, Projected

# Whose number of steps a comparison sets; the others have numbers of their own.
STEPPED = frozenset(("miface", "gradient", "gmi"))


@dataclasses.dataclass(frozen=True)
class Attacker:
    """One inversion in its budgets.

    Attributes:
      name: of the rows.
      equal: the same number of steps for every model, with no stop rule.
      convergence: until its stop rule; None if it has none.
      samples: reconstructions a label; more than one needs a start that is drawn.
    """

    name: str
    equal: Inversion
    convergence: Inversion | None = None
    samples: int = 1

    @property
    def budgets(self) -> Iterator[tuple[str, Inversion]]:
        """The budgets it has, each with its method."""
        yield EQUAL, self.equal
        if self.convergence is not None:
            yield CONVERGENCE, self.convergence


def poster_attackers(steps: int, most: int, classes: int) -> list[Attacker]:
    """MIFace and gradient inversion from the average image, and gradient inversion from noise.

    Args:
      steps: of the equal budget.
      most: of the budget until convergence.
      classes: how many are reconstructed; from noise, several times each if they are few.
    """
    plain = Gradient(steps=steps, total_variation=0.1)
    settled = dataclasses.replace(plain, steps=most, patience=100)
    return [
        _miface(steps, most),
        Attacker("gradient", plain, settled),
        Attacker(
            "gradient-from-noise",
            dataclasses.replace(plain, start="noise"),
            dataclasses.replace(settled, start="noise"),
            samples=max(1, 40 // classes),
        ),
    ]


def all_attackers(steps: int, most: int, samples: int, folder: str) -> list[Attacker]:
    """One of each kind of knowledge: white box without and with a generator, confidences, labels only.

    Args:
      steps: of the equal budget of those in `STEPPED`.
      most: of the budget until convergence.
      samples: reconstructions a label, where the start is drawn.
      folder: keeps what an attacker trains once for all victims.
    """
    start = "auxiliary"
    plain = Gradient(steps=steps, total_variation=0.1, start=start)
    latent = GMI(steps=steps, folder=folder)
    return [
        _miface(steps, most),
        Attacker("gradient", plain, dataclasses.replace(plain, steps=most, patience=100), samples),
        Attacker("projected", Projected(start=start), samples=samples),
        Attacker("multiscale", Multiscale(start=start), samples=samples),
        Attacker("gmi", latent, dataclasses.replace(latent, steps=most, patience=100), samples),
        Attacker("network", Network(steps=1000), samples=1),
        Attacker("brep", BREP(steps=150, folder=folder), samples=1),
    ]


def chosen(attackers: Sequence[Attacker], names: Sequence[str] | None) -> list[Attacker]:
    """Those of the attackers that are named, in their order; None is all.

    Raises:
      UserError: a name that none of them has, or no name.
    """
    known = [attacker.name for attacker in attackers]
    unknown = sorted(set(names or ()) - set(known))
    if unknown or (names is not None and not names):
        raise expected(f"methods among {', '.join(known)}", ", ".join(unknown) or "none", "Change --methods.")
    return [a for a in attackers if names is None or a.name in names]


def known_of(auxiliary: Dataset, same_classes: bool) -> Knowledge:
    """What attackers have that may use auxiliary images.

    Args:
      auxiliary: images that no victim was trained on.
      same_classes: whether their labels are the victims'; the attackers don't have others.
    """
    return Knowledge(
        images=auxiliary.images,
        labels=auxiliary.labels if same_classes else None,
        source=f"other images of {auxiliary.name}" if same_classes else f"images of {auxiliary.name}",
    )


def _miface(steps: int, most: int) -> Attacker:
    published = MIFace(steps=most, start="average")
    return Attacker("miface", dataclasses.replace(published, steps=steps, beta=0, gamma=2.0), published)
