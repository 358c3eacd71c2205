"""The inversions of the published comparisons, each with its budgets."""

import dataclasses
from collections.abc import Iterator, Sequence

from tfinv import datasets
from tfinv.datasets import Dataset
from tfinv.errors import expected, from_flag
from tfinv.evaluation.statistics.measurement import CONVERGENCE, EQUAL
from tfinv.inversion import BREP, GMI, Gradient, Inversion, Knowledge, MIFace, Multiscale, Network, Projected


@dataclasses.dataclass(frozen=True)
class Attacker:
    """One inversion in its budgets.

    Attributes:
      name: name in the rows.
      equal: method of the equal budget: the same number of steps for every model, with no stop rule.
      convergence: method of the budget until its stop rule; None if it has none.
      samples: reconstructions a label; more than one needs a random start.
    """

    name: str
    equal: Inversion
    convergence: Inversion | None = None
    samples: int = 1

    @property
    def budgets(self) -> Iterator[tuple[str, Inversion]]:
        """Names of the budgets, each with its method."""
        yield EQUAL, self.equal
        if self.convergence is not None:
            yield CONVERGENCE, self.convergence


def poster_attackers(steps: int, max_steps: int, num_classes: int) -> list[Attacker]:
    """Returns MIFace and gradient inversion from the average image, and gradient inversion from noise.

    Args:
      steps: of the equal budget.
      max_steps: of the budget until convergence.
      num_classes: classes to reconstruct; from noise, several times each if they are few.
    """
    plain = Gradient(steps=steps, total_variation=0.1)
    converged = dataclasses.replace(plain, steps=max_steps, patience=100)
    return [
        _miface(steps, max_steps),
        Attacker("gradient", plain, converged),
        Attacker(
            "gradient-from-noise",
            dataclasses.replace(plain, start="noise"),
            dataclasses.replace(converged, start="noise"),
            samples=max(1, 40 // num_classes),
        ),
    ]


def all_attackers(steps: int, max_steps: int, samples: int, folder: str) -> list[Attacker]:
    """Returns attackers of every kind of access: white box without and with a generator, confidences, labels only.

    Args:
      steps: of the equal budget of those in `catalogue.STEPPED_INVERSIONS`.
      max_steps: of the budget until convergence.
      samples: reconstructions a label, where the start is random.
      folder: keeps the models that an attacker trains once for all victims.
    """
    start = "auxiliary"
    plain = Gradient(steps=steps, total_variation=0.1, start=start)
    latent = GMI(steps=steps, folder=folder)
    return [
        _miface(steps, max_steps),
        Attacker("gradient", plain, dataclasses.replace(plain, steps=max_steps, patience=100), samples),
        Attacker("projected", Projected(start=start), samples=samples),
        Attacker("multiscale", Multiscale(start=start), samples=samples),
        Attacker("gmi", latent, dataclasses.replace(latent, steps=max_steps, patience=100), samples),
        Attacker("network", Network(steps=1000), samples=1),
        Attacker("brep", BREP(steps=150, folder=folder), samples=1),
    ]


def select_attackers(attackers: Sequence[Attacker], names: Sequence[str] | None) -> list[Attacker]:
    """Returns the attackers with these names, in their own order; None is all.

    Raises:
      UserError: an unknown name, or no name.
    """
    all_names = [attacker.name for attacker in attackers]
    unknown = sorted(set(names or ()) - set(all_names))
    if unknown or (names is not None and not names):
        raise expected(f"methods among {', '.join(all_names)}", ", ".join(unknown) or "none", "Change --methods.")
    return [a for a in attackers if names is None or a.name in names]


def load_auxiliary(name: str, train: Dataset, data_dir: str | None, limit: int) -> Dataset:
    """Loads images for an attacker: the first training images of another data set, resized to those of `train`.

    Raises:
      UserError: it has other channels, or see `datasets.load`; the error says to change --auxiliary.
    """
    with from_flag("--auxiliary"):
        auxiliary = datasets.load(name, "train", data_dir=data_dir, limit=limit, image_size=train.image_shape[:2])
        if auxiliary.image_shape != train.image_shape:
            raise expected(
                f"auxiliary images of shape {train.image_shape}, as those of {train.name}",
                f"{auxiliary.image_shape} of {auxiliary.name}",
            )
    return auxiliary


def auxiliary_knowledge(auxiliary: Dataset, same_classes: bool) -> Knowledge:
    """Returns the knowledge of attackers that may use auxiliary images.

    Args:
      auxiliary: images that no victim was trained on.
      same_classes: whether their labels are the victims'; the attackers don't get any others.
    """
    return Knowledge(
        images=auxiliary.images,
        labels=auxiliary.labels if same_classes else None,
        source=f"other images of {auxiliary.name}" if same_classes else f"images of {auxiliary.name}",
    )


def _miface(steps: int, max_steps: int) -> Attacker:
    published = MIFace(steps=max_steps, start="average")
    return Attacker("miface", dataclasses.replace(published, steps=steps, beta=0, gamma=2.0), published)
