"""BREP-MI (Kahla et al. 2022, "Label-only model inversion attacks via boundary repulsion"): from predicted labels alone."""

import dataclasses
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf

from tfinv import random, threat
from tfinv.compiled import compiled
from tfinv.errors import expected
from tfinv.inversion import auxiliary, starts, vae
from tfinv.inversion.base import Access, Inversion, check_real, check_whole
from tfinv.inversion.descent import Recorder, decode
from tfinv.inversion.problem import Optimised, Problem
from tfinv.inversion.vae import VAE
from tfinv.pool import State, advance, batches
from tfinv.prediction import run_in_batches

SPACES = ("latent", "pixels")
_LATENT, _SPHERES = 2, 16  # streams of its draws; the spheres of step i have _SPHERES + i
_ATTEMPT = 1_000_003  # between the seeds of two searches for a start
_LOOK_EVERY = 25
_LARGEST = 1e6  # radius, where the class has no boundary


@dataclasses.dataclass(frozen=True)
class BREP(Inversion):
    """Moves away from the points of a sphere that the model takes for other classes, and widens the sphere when there are none.

    With u_k uniform on the unit sphere, x <- x - s / N * (sum of those u_k for which x + R u_k is not of the class), where
    s = min(R / 3, 3), unless that leaves the class; R <- growth * R when all N points are of the class (Algorithm 1, with the step
    of the authors' code). So x comes to lie where the class is widest. It starts at a point that the model takes for the class; a
    row for which none is found stays at its start. The last x is returned; labels give no cost.

    Attributes:
      steps: at most so many; the paper has no such limit.
      start: "noise" draws z ~ N(0, 1) or uniform pixels; of the others, the latent space takes what the encoder makes of the image.
      space: "latent", the paper's, of a VAE trained on the attacker's auxiliary images (the paper's generator is a GAN); or
        "pixels", for which `start=auxiliary` is the choice, since a model rarely takes noise for most of its classes.
      points: N, on a sphere.
      radius: the first R; the paper's 2 is of its latent space.
      growth: of R.
      patience: stop a row whose radius has not grown for so many steps.
      bound: every latent number of x stays within +-bound.
      tries: starts to look at, at most; one if the start is not drawn.
      latent: see `vae.Settings`, likewise `updates`.
      generator_seed: of the generator's weights and training.
      folder: where trained generators are kept; None for memory alone.
    """

    ACCESS: ClassVar[Access] = "labels"

    steps: int = 10_000
    start: str = "noise"
    space: str = "latent"
    points: int = 32
    radius: float = 2.0
    growth: float = 1.3
    patience: int = 1000
    bound: float = 1.5
    tries: int = 256
    latent: int = 32
    updates: int = 2000
    generator_seed: int = 0
    folder: str | None = None
    _vae: VAE | None = dataclasses.field(default=None, init=False, repr=False)

    def __post_init__(self):
        super().__post_init__()
        check_whole(self, 1, "points", "patience", "tries", "latent", "updates")
        check_whole(self, 0, "generator_seed")
        check_real(self, 0, "radius", "bound", above=True)
        check_real(self, 1, "growth", above=True)
        if self.space not in SPACES:
            raise expected(f"space among {', '.join(SPACES)}", repr(self.space), "Change the argument `space`.")
        for name in ("candidates", "best_of"):
            if getattr(self, name) != 1:  # whose predictions would not be counted
                raise expected(f"{name}=1 for brep", getattr(self, name), "Change the argument `tries` instead.")

    @property
    def needs(self) -> frozenset[str]:
        """What the start needs, and the images that the generator learns from."""
        in_pixels = self.space == "pixels"
        return super().needs if in_pixels else super().needs | {"images"}

    @property
    def until_convergence(self) -> bool:
        """`patience` ends it."""
        return True

    def prepare(self, problem: Problem) -> Any:
        """Trains the generator, or finds it trained.

        Raises:
          UserError: there are no auxiliary images, or of another shape.
        """
        if self.space == "pixels":
            return self
        images = auxiliary.images_for(problem, "brep")
        settings = vae.Settings(latent=self.latent, updates=self.updates, seed=self.generator_seed)
        return auxiliary.bound(self, _vae=vae.train_vae(images, settings=settings, folder=self.folder))

    def sample(self, problem: Problem) -> np.ndarray:
        """(n, latent) or (n, H, W, C)."""
        if self.space == "pixels":
            return super().sample(problem)
        if self.start == "noise":
            z = random.normal(problem.seed, _LATENT, problem.places, (self.latent,))
        else:
            images = starts.make(self.start, problem)
            z = run_in_batches(lambda x: self._trained.posterior(x)[0], images, problem.batch_size)
        return self.constrain(z).numpy()

    def decode(self, points: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        """Images of points; those of pixels cut to the bounds."""
        return tf.clip_by_value(points, 0.0, 1.0) if self.space == "pixels" else self._trained.decode(points, labels)

    def constrain(self, points: tf.Tensor) -> tf.Tensor:
        """The nearest points that x may be at."""
        low = 0.0 if self.space == "pixels" else -self.bound
        return tf.clip_by_value(points, low, 1.0 if self.space == "pixels" else self.bound)

    def optimise(self, problem: Problem, points: np.ndarray) -> Optimised:
        """Looks for starts, then moves them; a call of the model has `batch_size` images at most, but one sphere at least."""
        n, shape = len(points), points.shape[1:]
        state: State = {
            "x": points.astype(np.float32),
            "goal": problem.labels,
            "place": problem.places,
            "active": np.zeros(n, bool),
            "radius": np.full(n, self.radius, np.float32),
            "since": np.zeros(n, np.int32),
            "taken": np.zeros(n, np.int32),
            "queries": np.zeros(n, np.int64),
        }
        self._search(problem, state)
        begun, found = state["x"].copy(), state["active"].copy()
        recorder, nothing = Recorder(self, problem), np.full(n, np.nan, np.float32)
        spec, draws = (tf.TensorSpec((*lead, *shape), tf.float32) for lead in ((None,), (None, self.points)))
        kinds = (spec, draws, "labels", "flags", "numbers", "counts")
        step = compiled(problem.classifier, ("brep", self.graph, shape), _make_step(self), *kinds)
        together = max(1, problem.batch_size // self.points)
        for i in range(self.steps):
            rows = np.flatnonzero(state["active"])
            if not len(rows):
                break

            def move(x, goal, place, active, radius, since, taken, queries, i=i):
                sphere = random.normal(problem.seed, _SPHERES + i, place.numpy(), (self.points, *shape))
                new = step(x, sphere, goal, active, radius, since)
                return new | {"taken": taken + 1, "queries": queries + self.points + 1}

            _ask(state, rows, together, move)
            if (i + 1) % _LOOK_EVERY == 0 or i + 1 == self.steps or not state["active"].any():
                recorder.look(i + 1, {"best": state["x"], "best_cost": nothing})
        return Optimised(
            decode(self, problem, state["x"]),
            nothing,
            state["taken"],
            found & ~state["active"],
            state["queries"],
            recorder.finished(),
            points=state["x"],
            starts=begun,
        )

    def _search(self, problem: Problem, state: State) -> None:
        """Sets `x` and `active` of the rows for which a point of the class is found."""
        shape = state["x"].shape[1:]
        spec = tf.TensorSpec((None, *shape), tf.float32)
        is_hit = compiled(problem.classifier, ("brep start", self.graph, shape), _make_hit(self), spec, "labels")
        is_drawn = self.start in ("noise", "gaussian", "auxiliary")
        for attempt in range(self.tries if is_drawn else 1):
            rows = np.flatnonzero(~state["active"])
            if not len(rows):
                break
            drawn = state["x"].copy()
            if attempt:
                labels, places = problem.labels[rows], problem.places[rows]
                seed = problem.seed + _ATTEMPT * attempt
                drawn[rows] = self.sample(dataclasses.replace(problem, labels=labels, places=places, seed=seed))

            def look(x, goal, queries, tried, **_):
                hit = is_hit(tried, goal)
                return {
                    "x": tf.where(threat.per_example(hit, x), tried, x),
                    "active": hit,
                    "queries": queries + 1,
                }

            _ask(state | {"tried": drawn}, rows, problem.batch_size, look)

    @property
    def _trained(self) -> VAE:
        if self._vae is None:
            raise RuntimeError("prepare() gives the method with its generator")
        return self._vae


def _ask(state, rows, together, fn):
    """As `advance`, but without rows that only fill a batch up: each would be a query of the model."""
    for part in batches(rows, together):
        advance(state, part, len(part), fn)


def _is_hit(method, classifier, points, goals):
    low, high = classifier.bounds
    images = tf.clip_by_value(low + method.decode(points, goals) * (high - low), low, high)
    return tf.equal(tf.argmax(classifier.logits(images), axis=1), goals)


def _make_hit(method):
    return lambda classifier: lambda points, goals: _is_hit(method, classifier, points, goals)


def _make_step(method):
    def make(classifier):
        def step(x, sphere, goal, active, radius, since):
            count, shape = method.points, x.shape[1:]
            flat = tf.ensure_shape(tf.reshape(sphere, [-1, *shape]), [None, *shape])
            u = tf.reshape(threat.steepest(flat, "l2"), tf.shape(sphere))
            around = x[:, None] + tf.reshape(radius, [-1, *[1] * (len(shape) + 1)]) * u
            around = tf.ensure_shape(tf.reshape(around, [-1, *shape]), [None, *shape])
            inside = tf.reshape(_is_hit(method, classifier, around, tf.repeat(goal, count)), [-1, count])
            outside = tf.reshape(tf.cast(~inside, tf.float32), [-1, count, *[1] * len(shape)])
            size = threat.per_example(tf.minimum(radius / 3.0, 3.0), x)
            ahead = method.constrain(x - size * tf.reduce_mean(outside * u, axis=1))
            stays = _is_hit(method, classifier, ahead, goal)
            grows = tf.reduce_all(inside, axis=1)
            since = tf.where(grows, 0, since + 1)
            return {
                "x": tf.where(threat.per_example(stays, x), ahead, x),
                "radius": tf.where(grows, tf.minimum(radius * method.growth, _LARGEST), radius),
                "since": since,
                "active": active & (since < method.patience),
            }

        return step

    return make
