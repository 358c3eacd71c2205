"""BREP-MI (Kahla et al. 2022, "Label-only model inversion attacks via boundary repulsion"): from predicted labels alone."""

import dataclasses
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf

from tfinv import random, threat
from tfinv.classifier.compiled import compiled
from tfinv.classifier.prediction import run_in_batches
from tfinv.errors import expected
from tfinv.inversion import auxiliary, starts, vae
from tfinv.inversion.base import Access, Inversion, check_real, check_whole
from tfinv.inversion.problem import Problem, Reconstructions
from tfinv.inversion.recorder import Recorder
from tfinv.inversion.vae import VAE
from tfinv.pool import State, advance, batches

SPACES = ("latent", "pixels")
_LATENT, _SPHERES = 2, 16  # streams of the draws; the spheres of step i have _SPHERES + i
_ATTEMPT = 1_000_003  # difference of the seeds of two attempts to find a start
_RECORD_EVERY = 25  # steps
_LARGEST = 1e6  # radius, where the class has no boundary
# Arrays of the state that the compiled step takes, in its order.
_STEP_ARRAYS = ("x", "labels", "active", "radius", "since_growth")


@dataclasses.dataclass(frozen=True)
class BREP(Inversion):
    """Moves away from the points of a sphere that are predicted as other classes, and enlarges the sphere when there are none.

    With u_k uniform on the unit sphere, x <- x - s / N * (sum of those u_k for which x + R u_k is not of the class), where
    s = min(R / 3, 3), unless that leaves the class; R <- growth * R when all N points are of the class (Algorithm 1, with the step
    of the authors' code). So x moves to where the class is widest. It starts at a point that is predicted as the class; a row for
    which none is found stays at its start. The last x is returned; labels give no cost.

    Attributes:
      steps: at most so many; the paper has no such limit.
      start: "noise" draws z ~ N(0, 1) or uniform pixels; the others are images, which in the latent space the encoder maps to z.
      space: "latent", the paper's, of a VAE trained on the attacker's auxiliary images (the paper's generator is a GAN); or
        "pixels", for which `start=auxiliary` is recommended, since a model rarely predicts noise as most of its classes.
      points: N, the number of points on a sphere.
      radius: the first R; the paper's 2 is of its latent space.
      growth: factor of R.
      patience: stop a row whose radius has not grown for so many steps.
      bound: every latent dimension of x stays within +-bound.
      tries: starts to query, at most; one if the start is not random.
      latent: see `vae.Settings`, likewise `updates`.
      generator_seed: of the generator's weights and training.
      folder: for trained generators; None for memory alone.
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
            if getattr(self, name) != 1:  # their predictions would not be counted as queries
                raise expected(f"{name}=1 for brep", getattr(self, name), "Change the argument `tries` instead.")

    @property
    def needs(self) -> frozenset[str]:
        """Knowledge that the start needs, and the images that the generator is trained on."""
        in_pixels = self.space == "pixels"
        return super().needs if in_pixels else super().needs | {"images"}

    @property
    def until_convergence(self) -> bool:
        """`patience` stops rows."""
        return True

    def prepare(self, problem: Problem) -> Any:
        """Trains the generator, or takes it from the cache.

        Raises:
          UserError: there are no auxiliary images, or of another shape.
        """
        if self.space == "pixels":
            return self
        images = auxiliary.images_for(problem, "brep")
        settings = vae.Settings(latent=self.latent, updates=self.updates, seed=self.generator_seed)
        return auxiliary.with_networks(self, _vae=vae.train_vae(images, settings=settings, folder=self.folder))

    def sample(self, problem: Problem) -> np.ndarray:
        """(n, latent) or (n, H, W, C) points to start from."""
        if self.space == "pixels":
            return super().sample(problem)
        if self.start == "noise":
            z = random.normal(problem.seed, _LATENT, problem.places, (self.latent,))
        else:
            images = starts.make(self.start, problem)
            z = run_in_batches(lambda x: self._generator.posterior(x)[0], images, problem.batch_size)
        return self.constrain(z).numpy()

    def decode(self, points: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        """(n, H, W, C) images in [0, 1] of points; pixels are clipped."""
        return tf.clip_by_value(points, 0.0, 1.0) if self.space == "pixels" else self._generator.decode(points, labels)

    def constrain(self, points: tf.Tensor) -> tf.Tensor:
        """The nearest points allowed for x."""
        low = 0.0 if self.space == "pixels" else -self.bound
        return tf.clip_by_value(points, low, 1.0 if self.space == "pixels" else self.bound)

    def optimise(self, problem: Problem, points: np.ndarray) -> Reconstructions:
        """Finds starts, then moves them; a call of the model has `batch_size` images at most, but one sphere at least."""
        n, shape = len(points), points.shape[1:]
        state: State = {
            "x": points.astype(np.float32),
            "labels": problem.labels,
            "places": problem.places,
            "active": np.zeros(n, bool),
            "radius": np.full(n, self.radius, np.float32),
            "since_growth": np.zeros(n, np.int32),
            "steps": np.zeros(n, np.int32),
            "queries": np.zeros(n, np.int64),
        }
        self._find_starts(problem, state)
        start_points, is_started = state["x"].copy(), state["active"].copy()
        recorder, no_cost = Recorder(self, problem), np.full(n, np.nan, np.float32)
        step = self._compile_step(problem, shape)
        rows_per_call = max(1, problem.batch_size // self.points)
        for i in range(self.steps):
            rows = np.flatnonzero(state["active"])
            if not len(rows):
                break

            def move(places, steps, queries, i=i, **arrays):
                sphere = random.normal(problem.seed, _SPHERES + i, places.numpy(), (self.points, *shape))
                new = step(*(arrays[name] for name in _STEP_ARRAYS), sphere)
                return new | {"steps": steps + 1, "queries": queries + self.points + 1}

            _query(state, rows, rows_per_call, move)
            if (i + 1) % _RECORD_EVERY == 0 or i + 1 == self.steps or not state["active"].any():
                recorder.record(i + 1, {"best_points": state["x"], "best_cost": no_cost})
        return Reconstructions(
            self.decode_in_batches(problem, state["x"]),
            no_cost,
            state["steps"],
            is_started & ~state["active"],
            state["queries"],
            recorder.course(),
            points=state["x"],
            starts=start_points,
        )

    def _compile_step(self, problem, shape):
        points, sphere = (tf.TensorSpec((*lead, *shape), tf.float32) for lead in ((None,), (None, self.points)))
        kinds = (points, "labels", "flags", "numbers", "counts", sphere)  # of _STEP_ARRAYS, and the sphere
        return compiled(problem.classifier, ("brep", self.graph, shape), _make_step(self), *kinds)

    def _find_starts(self, problem: Problem, state: State) -> None:
        """Sets `x` and `active` of the rows for which a point of the class is found, and counts the queries."""
        shape = state["x"].shape[1:]
        spec = tf.TensorSpec((None, *shape), tf.float32)
        is_hit = compiled(problem.classifier, ("brep start", self.graph, shape), _make_hit(self), spec, "labels")
        is_drawn = self.start in ("noise", "gaussian", "auxiliary")
        for attempt in range(self.tries if is_drawn else 1):
            rows = np.flatnonzero(~state["active"])
            if not len(rows):
                break
            candidates = state["x"].copy()
            if attempt:
                labels, places = problem.labels[rows], problem.places[rows]
                seed = problem.seed + _ATTEMPT * attempt
                candidates[rows] = self.sample(dataclasses.replace(problem, labels=labels, places=places, seed=seed))

            def try_candidates(x, labels, queries, candidates, **_):
                hits = is_hit(candidates, labels)
                return {
                    "x": tf.where(threat.per_example(hits, x), candidates, x),
                    "active": hits,
                    "queries": queries + 1,
                }

            _query(state | {"candidates": candidates}, rows, problem.batch_size, try_candidates)

    @property
    def _generator(self) -> VAE:
        if self._vae is None:
            raise RuntimeError("prepare() gives the method with its generator")
        return self._vae


def _query(state, rows, batch_size, fn):
    """Applies `fn` as `advance` does, but without padding, since each row of padding would be a query of the model."""
    for part in batches(rows, batch_size):
        advance(state, part, len(part), fn)


def _is_hit(method, classifier, points, labels):
    """(b,) bool: whether the model predicts each point as its label."""
    low, high = classifier.bounds
    images = tf.clip_by_value(low + method.decode(points, labels) * (high - low), low, high)
    return tf.equal(tf.argmax(classifier.logits(images), axis=1), labels)


def _make_hit(method):
    return lambda classifier: lambda points, labels: _is_hit(method, classifier, points, labels)


def _make_step(method):
    def make(classifier):
        def step(x, labels, active, radius, since_growth, sphere):
            count, shape = method.points, x.shape[1:]
            flat = tf.ensure_shape(tf.reshape(sphere, [-1, *shape]), [None, *shape])
            u = tf.reshape(threat.steepest(flat, "l2"), tf.shape(sphere))
            points = x[:, None] + tf.reshape(radius, [-1, *[1] * (len(shape) + 1)]) * u
            points = tf.ensure_shape(tf.reshape(points, [-1, *shape]), [None, *shape])
            inside = tf.reshape(_is_hit(method, classifier, points, tf.repeat(labels, count)), [-1, count])
            outside = tf.reshape(tf.cast(~inside, tf.float32), [-1, count, *[1] * len(shape)])
            step_size = threat.per_example(tf.minimum(radius / 3.0, 3.0), x)
            moved = method.constrain(x - step_size * tf.reduce_mean(outside * u, axis=1))
            is_hit = _is_hit(method, classifier, moved, labels)
            grows = tf.reduce_all(inside, axis=1)
            since_growth = tf.where(grows, 0, since_growth + 1)
            return {
                "x": tf.where(threat.per_example(is_hit, x), moved, x),
                "radius": tf.where(grows, tf.minimum(radius * method.growth, _LARGEST), radius),
                "since_growth": since_growth,
                "active": active & (since_growth < method.patience),
            }

        return step

    return make
