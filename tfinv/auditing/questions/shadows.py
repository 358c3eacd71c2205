"""Shadow models of an audit: those of a store, or networks like the one under audit, trained anew on halves of the examples."""

import dataclasses

import numpy as np

from tfinv import paths
from tfinv.auditing.budget import Budget
from tfinv.auditing.questions import clones
from tfinv.auditing.subjects.sides import Sides
from tfinv.auditing.subjects.subject import Subject
from tfinv.classifier import Classifier
from tfinv.comparison.membership.pool import Part, positions
from tfinv.comparison.shadow_models import halves
from tfinv.errors import UserError, expected
from tfinv.membership.shadows import Shadows, ShadowStore, examples_digest
from tfinv.runs.workdir import Workdir


@dataclasses.dataclass(frozen=True, eq=False)
class AuditShadows:
    """Examples of the question, with shadow models if there are any.

    Attributes:
      sides: members and non-members.
      shadows: on the same examples, or None.
      queries: augmented copies that they were queried with.
      note: what they are, or why there are none, as a phrase.
    """

    sides: Sides
    shadows: Shadows | None
    queries: tuple[str, ...]
    note: str

    @property
    def count(self) -> int:
        """Number of shadow models."""
        return 0 if self.shadows is None else self.shadows.size


def provide(subject: Subject, sides: Sides, budget: Budget, workdir: Workdir) -> AuditShadows:
    """Returns the shadow models: those of the subject's store, or as many as the budget has, trained now.

    Args:
      subject: the model.
      sides: members and non-members, as many as the budget has.
      budget: of the audit.
      workdir: of the audit, in which trained shadows stay.

    Raises:
      UserError: the store is none, or is of other examples.
    """
    if subject.shadows is not None:
        return _of_store(subject)
    if not budget.shadows:
        return AuditShadows(sides, None, (), f"no shadow models at --budget={budget.name}")
    try:
        network = clones.trainable(subject, sides)
    except UserError as error:
        return AuditShadows(sides, None, (), f"without shadow models: {error.complaint}")
    data, count = sides.examples, budget.shadows
    digest = examples_digest(np.asarray(data.pixels), data.labels)
    recipe = clones.Recipe(epochs=budget.shadow_epochs, seed=subject.seed)
    fit = _member_accuracy(subject.classifier, sides)
    store = ShadowStore.create(
        workdir.path / "shadows",
        labels=data.labels,
        members=halves(len(data), count, subject.seed),
        classes=subject.classifier.num_classes,
        digest=digest,
        recipe=dataclasses.asdict(recipe) | {"until": fit},
    )
    for number in store.missing():
        subject.progress(f"  training shadow model {number + 1} of {count}")
        half = data.subset(np.flatnonzero(store.members[:, number]))
        store.add(number, clones.train(network, half, data, recipe, number, fit))
    note = f"{count} shadow models of the same architecture, trained with Adam until they fit their images as well"
    return AuditShadows(sides, store.shadows(), (), note)


def _member_accuracy(classifier: Classifier, sides: Sides) -> float:
    """Accuracy of the model under audit on its members, at which the training of a shadow model ends."""
    rows = np.flatnonzero(sides.members)
    images, labels = classifier.from_unit(sides.examples.images_at(rows)), sides.examples.labels[rows]
    return classifier.accuracy(images, labels)


def _of_store(subject: Subject) -> AuditShadows:
    """The shadows of a store that `tfinv shadows` filled, and those of the members and non-members that are in its pool."""
    sides, folder = subject.membership, paths.expand(str(subject.shadows))
    assert sides is not None
    store = ShadowStore.open(folder)
    recipe = store.recipe or {}
    if not sides.parts or "pool" not in recipe:
        raise expected("a store that tfinv shadows has filled, and a data set by name", folder, "Change --shadows.")
    pool = [Part.parse(text, "--shadows") for text in recipe["pool"]]
    rows = positions(sides.parts, pool, "--members and --nonmembers, or the --pool of tfinv shadows")
    if not np.array_equal(store.labels[rows], sides.examples.labels):
        raise expected(f"shadows of {sides.examples.name}", f"others in {folder}", "Change --shadows.")
    shadows = store.shadows().rows(rows)
    note = f"{shadows.size} shadow models of {folder}"
    return AuditShadows(sides, shadows, tuple(recipe.get("queries", ())), note)
