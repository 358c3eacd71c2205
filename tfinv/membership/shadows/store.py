"""`ShadowStore`: logits of shadow models on disk, whole or absent each, to which more can be added later."""

from __future__ import annotations

import hashlib
import json
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from tfinv import files, paths
from tfinv.errors import UserError, expected
from tfinv.membership.shadows.array_file import ArrayFile
from tfinv.membership.shadows.folder import LABELS, MEMBERS, check_shape, read_array, read_folder
from tfinv.membership.shadows.shadows import Shadows, complements, label_array, member_table
from tfinv.membership.signals import margin

_DESCRIPTION, _LOGITS = "store.json", "logits"
_VERSION = 1


def examples_digest(images: np.ndarray, labels: np.ndarray) -> str:
    """SHA-256, in hexadecimal, of images and labels, by which a store recognises its examples."""
    sha256 = hashlib.sha256()
    for array in (np.asarray(images), np.asarray(labels)):
        sha256.update(repr((array.shape, array.dtype.str)).encode() + np.ascontiguousarray(array).tobytes())
    return sha256.hexdigest()


class ShadowStore:
    """A folder of shadow models' logits: store.json, members.npy (n, S), labels.npy (n,), and logits/NUMBER.npy (n, Q, K) float32.

    Beside each shadow's logits lie their margins in float64, which are made again where they are missing. A folder that a user made
    is read in the form that `folder.read_folder` describes, and never written to.

    Attributes:
      folder: path.
      labels: (n,) int64 true classes.
      members: (n, S) bool, the plan: who is in the training set of each shadow, whether it is there yet or not.
      classes: number of classes.
      queries: number of queries of each example; the first is the image itself.
      digest: of the examples, see `examples_digest`; None in a user's folder.
      recipe: how the shadows are trained, as JSON has it; None in a user's folder.
    """

    def __init__(self, folder: pathlib.Path, labels: np.ndarray, members: np.ndarray, description: Mapping[str, Any]):
        self.folder, self.labels, self.members = folder, labels, members
        self.classes, self.queries = int(description["classes"]), int(description["queries"])
        self.digest, self.recipe = description.get("digest"), description.get("recipe")
        self._user_files: list[ArrayFile] | None = None

    @classmethod
    def create(
        cls,
        folder: Any,
        *,
        labels: Any,
        members: Any,
        classes: int,
        digest: str,
        recipe: Mapping[str, Any],
        queries: int = 1,
    ) -> ShadowStore:
        """Creates a store, or opens the one that is there, to go on with it.

        Args:
          folder: path of an empty or absent folder, or of a store of the same examples and recipe.
          labels: (n,) true classes.
          members: (n, S) who is in the training set of each shadow. A store with fewer shadows gets the further ones.
          classes: number of classes.
          digest: of the examples.
          recipe: how the shadows are trained, of plain values. Its entry "augmentation" says how images are augmented.
          queries: of each example, the image itself first. Others than that are refused unless the recipe trains with an
            augmentation: a query that the target was not trained with halves what an attack finds at low false-positive rates.

        Raises:
          UserError: the folder has something else, or a store that differs in some entry; more queries than the recipe allows.
        """
        root, table, truth = paths.expand(folder), member_table(members), label_array(labels)
        if len(table) != len(truth):
            raise expected(f"members of {len(truth)} examples, as many as labels", len(table), "Change members=.")
        if truth.max(initial=0) >= classes:
            raise expected(f"labels below {classes}", int(truth.max()), "Change labels= or classes=.")
        recipe = json.loads(json.dumps(dict(recipe)))
        if queries > 1 and recipe.get("augmentation", "none") == "none":
            hint = 'Query the image alone, or train with an augmentation and say so: recipe={"augmentation": ...}.'
            raise expected("one query of shadows that are trained without augmentation", queries, hint)
        description = {
            "version": _VERSION,
            "examples": len(truth),
            "classes": int(classes),
            "queries": int(queries),
            "digest": digest,
            "recipe": recipe,
        }
        path = root / _DESCRIPTION
        if path.exists():
            _compare(root, _read_description(root), description)
            if (root / LABELS).exists() and not np.array_equal(read_array(root / LABELS), truth):
                raise expected(f"the labels of the store in {root}", "others", "Change the folder.")
            if (root / MEMBERS).exists():
                table = _extended(root, member_table(read_array(root / MEMBERS)), table)
        elif root.is_dir() and any(not part.name.startswith(".partial-") for part in root.iterdir()):
            raise expected("an empty folder, or a store of shadows", root, "Change the folder.")
        else:
            # It comes first: whatever else is in the folder from now on is the store's.
            files.write_json(path, description)
        _write_array(root / LABELS, truth)
        _write_array(root / MEMBERS, table)
        return cls(root, truth, table, description)

    @classmethod
    def open(cls, folder: Any, labels: Any = None) -> ShadowStore:
        """Opens a store, or a folder that a user made.

        Args:
          folder: path.
          labels: (n,) true classes, for a user's folder without labels.npy; those of a store must equal them.

        Raises:
          UserError: it is neither, was begun and not finished, or does not fit the labels.
        """
        root = paths.expand(folder)
        if not root.is_dir():
            raise expected("a folder of shadows", root, "Train some with `tfinv shadows`, or change --shadows.")
        if not (root / _DESCRIPTION).exists():
            truth, members, logits = read_folder(root, labels)
            store = cls(root, truth, members, {"queries": logits[0].shape[1], "classes": logits[0].shape[2]})
            store._user_files = logits
            if labels is not None:
                store.check(labels)
            return store
        description = _read_description(root)
        for name in (LABELS, MEMBERS):
            if not (root / name).exists():
                raise expected(f"a whole store of shadows in {root}", f"no {name}", "Make the store again.")
        truth, members = label_array(read_array(root / LABELS)), member_table(read_array(root / MEMBERS))
        if len(truth) != description["examples"] or len(members) != len(truth):
            received = f"{len(truth)} labels and {len(members)} rows of members"
            raise expected(f"{description['examples']} examples in {root}", received, "Make the store again.")
        store = cls(root, truth, members, description)
        if labels is not None:
            store.check(labels)
        return store

    def check(
        self, labels: Any, classes: int | None = None, digest: str | None = None, queries: int | None = None
    ) -> None:
        """Checks that the store is of these examples, and fits a target; what is None is not compared.

        Raises:
          UserError: another number of examples, other labels, classes, queries, or another digest.
        """
        truth, hint = label_array(labels), "Change --shadows, or the data set and its order."
        if len(truth) != len(self.labels):
            raise expected(f"shadows of {len(truth)} examples", f"{len(self.labels)} in {self.folder}", hint)
        if not np.array_equal(truth, self.labels):
            count = int(np.sum(truth != self.labels))
            raise expected("shadows of examples with these labels", f"{count} others in {self.folder}", hint)
        for name, value in (("classes", classes), ("queries", queries)):
            if value is not None and value != getattr(self, name):
                raise expected(f"shadows of {value} {name}", f"{getattr(self, name)} in {self.folder}", hint)
        if digest is not None and self.digest is not None and digest != self.digest:
            raise expected("shadows of these images", f"others in {self.folder}", hint)

    @property
    def size(self) -> int:
        """Number of shadows that are planned."""
        return self.members.shape[1]

    def missing(self) -> list[int]:
        """Numbers of the shadows that are planned and not there, or not whole, in ascending order."""
        return [number for number in range(self.size) if self._file(number) is None]

    def add(self, number: int, logits: Any, members: Any = None) -> None:
        """Writes a shadow's logits, all or nothing.

        Args:
          number: of a planned shadow, or the next one, which is then planned.
          logits: (n, Q, K), or (n, K) for one query.
          members: (n,) who was in its training set; None for what is planned.

        Raises:
          UserError: logits of another shape or not finite, other members than planned, or a folder that a user made.
        """
        if self._user_files is not None:
            raise expected("a store that tfinv made, to add a shadow to", self.folder, "Create one in another folder.")
        shape = (len(self.labels), self.queries, self.classes)
        values = np.asarray(logits, np.float32)
        values = values[:, np.newaxis] if values.ndim == 2 else values
        if values.shape != shape or not np.isfinite(values).all():
            received = f"shape {values.shape}" if values.shape != shape else "NaN or infinity"
            raise expected(f"finite logits of shape {shape}", received, "Change logits=.")
        if members is not None:
            column = member_table(np.asarray(members)[:, np.newaxis])
            if number == self.size and len(column) == len(self.labels):
                self.members = np.concatenate([self.members, column], axis=1)
                _write_array(self.folder / MEMBERS, self.members)
            elif not 0 <= number < self.size or not np.array_equal(column[:, 0], self.members[:, number]):
                raise expected(f"the members that are planned for shadow {number}", "others", "Change members=.")
        if not 0 <= number < self.size:
            raise expected(f"a shadow from 0 to {self.size - 1}", number, "Pass its members, to plan it.")
        # Margins first: where logits are, their margins are those of the same model.
        _write_array(self._path(number, ".margins"), margin(values, self.labels))
        _write_array(self._path(number), values)

    def shadows(self) -> Shadows:
        """The shadows that are there, in ascending order.

        Raises:
          UserError: there is none.
        """
        return self._numbered()[1]

    def leave_one_out(self) -> Iterator[tuple[int, np.ndarray, Shadows]]:
        """Takes each shadow in turn as the target, so that N shadows are N targets.

        Yields:
          Its number, by which `members[:, number]` says who is a member; its logits (n, Q, K) float32, for `Evidence(logits=...)`;
          and the other shadows without its complement, which by what it lacks would tell who the target's members are.

        Raises:
          UserError: too few shadows for anything to be left.
        """
        numbers, shadows = self._numbered()
        for position, number in enumerate(numbers):
            complement = shadows.pairs[position]
            rest = shadows.without([position] if complement < 0 else [position, complement])
            if not rest.size:
                count = shadows.size
                raise expected("shadows beside a target and its complement", f"{count} in all", "Train at least four.")
            yield number, shadows.logits(position, slice(None)), rest

    def _numbered(self):
        """Numbers of the shadows that are there, and these; each file is opened once."""
        sources = {number: file for number in range(self.size) if (file := self._file(number)) is not None}
        if not sources:
            raise expected(f"a shadow in {self.folder}", "none", "Run the command that makes them again.")
        numbers = list(sources)
        members = self.members if len(numbers) == self.size else self.members[:, numbers]
        stored = [self._margins(number) for number in numbers]
        return numbers, Shadows(members, self.labels, list(sources.values()), stored, complements(members))

    def _path(self, number, kind=""):
        return self.folder / _LOGITS / f"{number:04d}{kind}.npy"

    def _file(self, number):
        """The shadow's logits, or None where they are not there or not whole; of another shape they are an error."""
        if self._user_files is not None:
            return self._user_files[number]
        try:
            file = ArrayFile.open(self._path(number))
        except UserError:
            return None
        check_shape(file, (len(self.labels), self.queries, self.classes), int(self.labels.max(initial=0)))
        return file

    def _margins(self, number):
        if self._user_files is not None:
            return None
        try:
            file = ArrayFile.open(self._path(number, ".margins"))
        except UserError:
            return None
        return file if file.shape == (len(self.labels), self.queries) and file.dtype == np.float64 else None


def _write_array(path, array):
    with files.atomic_path(path) as temporary:
        np.save(temporary, array, allow_pickle=False)


def _read_description(root):
    description = files.read_json(root / _DESCRIPTION)
    if not isinstance(description, dict) or description.get("version") != _VERSION:
        version = description.get("version") if isinstance(description, dict) else None
        raise expected(f"a store of shadows of version {_VERSION}", f"version {version} in {root}", "Make it again.")
    return description


def _compare(root, stored, description):
    """Refuses a store that was made of something else, and says which entry differs."""
    for name, value in description.items():
        other = stored.get(name)
        if name == "recipe" and isinstance(other, dict) and other != value:
            name = next((key for key in {**value, **other} if value.get(key) != other.get(key)), "")
            value, other = value.get(name), other.get(name)
        if other != value:
            raise expected(f"a store of shadows with {name} {value!r}", f"{other!r} in {root}", "Change the folder.")


def _extended(root, stored, members):
    """The members of a store that is there and of those that are asked for, the longer of the two."""
    shared = min(stored.shape[1], members.shape[1])
    if not np.array_equal(stored[:, :shared], members[:, :shared]):
        raise expected(f"the training sets of the shadows in {root}", "others", "Change the folder or the seed.")
    return max(stored, members, key=lambda table: table.shape[1])
