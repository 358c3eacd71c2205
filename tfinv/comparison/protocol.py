"""The protocol of a comparison: its data, the attacks and measures of every model, and how it runs."""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from tfinv.comparison.attackers import Attacker
from tfinv.comparison.evaluators import Evaluators
from tfinv.comparison.robustness import Robustness
from tfinv.datasets import Dataset
from tfinv.inversion import Knowledge
from tfinv.runs.cluster import Cluster


@dataclasses.dataclass(frozen=True)
class Splits:
    """Training and test split of a data set.

    Attributes:
      train: images that models and evaluators train on, and that reconstructions are compared with.
      test: held-out images, for test accuracies and fresh decoders.
    """

    train: Dataset
    test: Dataset


@dataclasses.dataclass(frozen=True)
class Protocol:
    """Attacks and measures, the same for every model.

    Attributes:
      attackers: the inversions.
      knowledge: data that the attackers have.
      evaluators: evaluators of the reconstructions, and fresh decoders.
      robustness: adversarial attacks on each model; None for none.
      members: so many training images, and as many test images, at most, whose membership is asked of each model; 0 for none.
      classes: classes to reconstruct; None is all.
      seeds: each model is trained and inverted once per seed.
      featured: a class whose samples are drawn side by side, one row a model; None for none.
      pictured: names of attackers whose reconstructions of every class are drawn for each model, with the training images nearest
        in the model's own features, which are measured, too.
    """

    attackers: Sequence[Attacker]
    knowledge: Knowledge
    evaluators: Evaluators
    robustness: Robustness | None = None
    members: int = 0
    classes: Sequence[int] | None = None
    seeds: Sequence[int] = (0,)
    featured: int | None = None
    pictured: Sequence[str] = ()

    def target_classes(self, num_classes: int) -> np.ndarray:
        """Classes to reconstruct, in ascending order, out of `num_classes`."""
        return np.arange(num_classes) if self.classes is None else np.unique(self.classes)


@dataclasses.dataclass(frozen=True)
class Execution:
    """Processes and progress of a comparison; none of it changes a figure.

    Attributes:
      cluster: processes that share the trainings, and then the models after the first.
      verbose: Keras's, for the trainings.
      progress: is called with a line as each part starts.
    """

    cluster: Cluster = dataclasses.field(default_factory=Cluster)
    verbose: int = 0
    progress: Callable[[str], None] = lambda line: None


# All in this process, and no progress shown.
SILENT = Execution()
