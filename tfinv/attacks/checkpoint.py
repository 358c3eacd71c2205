"""Checkpoint of an attack: the state of every example, saved after each stage, so that a killed run can be resumed."""

import dataclasses
import hashlib
import pathlib
from collections.abc import Hashable, Sequence

import numpy as np

from tfinv import files
from tfinv.errors import expected


@dataclasses.dataclass
class State:
    """Best images so far of n examples, with their counts as in `AttackResult`; `margins` are above 0 for a success."""

    images: np.ndarray
    margins: np.ndarray
    gradient_calls: np.ndarray
    queries: np.ndarray
    zero_gradients: np.ndarray


class Checkpoint:
    """State of an attack and the number of completed stages.

    Attributes:
      state: changed in place by the attack.
      stage: number of completed stages.
    """

    def __init__(self, path: pathlib.Path | None, fingerprint: str, clean: np.ndarray, state: State, stage: int):
        self._path, self._fingerprint, self._clean = path, fingerprint, clean
        self.state, self.stage = state, stage

    @classmethod
    def open(
        cls, path: pathlib.Path | None, run: Sequence[Hashable], arrays: Sequence[np.ndarray], initial: State
    ) -> "Checkpoint":
        """Reads a checkpoint, or creates one if there is no file.

        Args:
          path: the .npz file; None keeps the state in memory only.
          run: settings that identify the run, besides its arrays.
          arrays: inputs of the run; a checkpoint of other inputs is refused.
          initial: state before the first stage. Its margins identify the model.

        Raises:
          UserError: the file is of another run, or damaged.
        """
        digest = hashlib.sha256(repr(tuple(run)).encode())
        for array in arrays:
            digest.update(repr((array.shape, array.dtype)).encode() + np.ascontiguousarray(array).tobytes())
        fingerprint, clean = digest.hexdigest(), initial.margins.copy()
        if path is None or not path.exists():
            return cls(path, fingerprint, clean, initial, 0)
        contents = files.read_arrays(path, "a checkpoint of an attack", "Remove that file.")
        try:
            state = State(**{field.name: contents[field.name] for field in dataclasses.fields(State)})
            stored_fingerprint, stage, margins = str(contents["fingerprint"]), int(contents["stage"]), contents["clean"]
        except (ValueError, KeyError) as error:
            raise expected("a checkpoint of an attack", f"{path} ({error})", "Remove that file.") from error
        if stored_fingerprint != fingerprint or not _equal_up_to_rounding(margins, clean):
            raise expected(
                "a checkpoint of the same attack, seed, model and images",
                f"{path} of another run",
                "Remove that file, or change --workdir.",
            )
        return cls(path, fingerprint, clean, state, stage)

    def save(self, stage: int) -> None:
        """Saves the state after `stage` stages."""
        self.stage = stage
        if self._path is not None:
            with files.atomic_path(self._path) as temporary:
                np.savez(temporary, fingerprint=self._fingerprint, clean=self._clean, stage=stage, **vars(self.state))


def _equal_up_to_rounding(margins: np.ndarray, reference: np.ndarray) -> bool:
    """Whether margins are those of the same model. Rounding differs with the number of threads."""
    size = float(np.abs(reference[np.isfinite(reference)]).max(initial=0.0))
    return margins.shape == reference.shape and np.allclose(
        margins, reference, rtol=0, atol=1e-3 * size, equal_nan=True
    )
