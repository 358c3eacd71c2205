"""The state of an attack, example by example, kept on disk between rounds so that a killed run goes on."""

import dataclasses
import hashlib
import pathlib
from collections.abc import Hashable, Sequence

import numpy as np

from tfinv import files
from tfinv.errors import expected


@dataclasses.dataclass
class State:
    """What is known of n examples; see `AttackResult`, and `margins`, which are above 0 for a success."""

    images: np.ndarray
    margins: np.ndarray
    gradient_calls: np.ndarray
    queries: np.ndarray
    zero_gradients: np.ndarray


class Checkpoint:
    """A state and the number of rounds behind it.

    Attributes:
      state: changed in place by the attack.
      stage: how many rounds it has seen.
    """

    def __init__(self, path: pathlib.Path | None, fingerprint: str, clean: np.ndarray, state: State, stage: int):
        self._path, self._fingerprint, self._clean = path, fingerprint, clean
        self.state, self.stage = state, stage

    @classmethod
    def open(
        cls, path: pathlib.Path | None, run: Sequence[Hashable], arrays: Sequence[np.ndarray], fresh: State
    ) -> "Checkpoint":
        """Reads a checkpoint, or begins one.

        Args:
          path: the .npz file, or None to keep nothing.
          run: what the run is, beyond its arrays.
          arrays: what it works on; a checkpoint of other ones is refused.
          fresh: the state to begin with; its margins tell one model from another.

        Raises:
          UserError: the file is of another run, or damaged.
        """
        digest = hashlib.sha256(repr(tuple(run)).encode())
        for array in arrays:
            digest.update(repr((array.shape, array.dtype)).encode() + np.ascontiguousarray(array).tobytes())
        fingerprint, clean = digest.hexdigest(), fresh.margins.copy()
        if path is None or not path.exists():
            return cls(path, fingerprint, clean, fresh, 0)
        kept = files.read_arrays(path, "a checkpoint of an attack", "Remove that file.")
        try:
            state = State(**{field.name: kept[field.name] for field in dataclasses.fields(State)})
            other, stage, margins = str(kept["fingerprint"]), int(kept["stage"]), kept["clean"]
        except (ValueError, KeyError) as error:
            raise expected("a checkpoint of an attack", f"{path} ({error})", "Remove that file.") from error
        if other != fingerprint or not _alike(margins, clean):
            raise expected(
                "a checkpoint of the same attack, seed, model and images",
                f"{path} of another run",
                "Remove that file, or change --workdir.",
            )
        return cls(path, fingerprint, clean, state, stage)

    def save(self, stage: int) -> None:
        """Keeps the state after so many rounds."""
        self.stage = stage
        if self._path is not None:
            with files.atomic_path(self._path) as temporary:
                np.savez(temporary, fingerprint=self._fingerprint, clean=self._clean, stage=stage, **vars(self.state))


def _alike(one: np.ndarray, two: np.ndarray) -> bool:
    """Whether margins are those of one model, up to rounding, which differs with the number of threads."""
    size = float(np.abs(two[np.isfinite(two)]).max(initial=0.0))
    return one.shape == two.shape and np.allclose(one, two, rtol=0, atol=1e-3 * size, equal_nan=True)
