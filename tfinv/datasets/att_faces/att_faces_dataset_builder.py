"""The AT&T (ORL, Olivetti) faces."""

import io
import re
import zipfile
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from PIL import Image

from tfinv.errors import UserError, expected

_HEIGHT, _WIDTH = 112, 92
_MEMBER = re.compile(r"(?:.*/)?s(\d+)/(\d+)\.pgm")
_MOST_BYTES = 1 << 20  # a face has 10,318; a larger file is no face, and could fill the memory


class Builder(tfds.core.GeneratorBasedBuilder):
    """Ten faces of each of 40 persons, in the order s1/1, s1/2, ..., s40/10, as one split, "train"."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "First release."}  # noqa: RUF012  as TFDS declares it
    MANUAL_FILES = ("att_faces.zip",)
    MANUAL_DOWNLOAD_INSTRUCTIONS = """\
    Download att_faces.zip from https://cam-orl.co.uk/facedatabase.html (any zip archive of s1/1.pgm to
    s40/10.pgm will do) and put it there under that name, not extracted.
    """
    NUM_PERSONS = 40
    FACES_PER_PERSON = 10

    def _info(self) -> Any:
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(shape=(_HEIGHT, _WIDTH, 1), encoding_format="png"),
                    "label": tfds.features.ClassLabel(names=[f"s{i + 1}" for i in range(40)]),
                }
            ),
            supervised_keys=("image", "label"),
            homepage="https://cam-orl.co.uk/facedatabase.html",
            disable_shuffling=True,
        )

    def _split_generators(self, dl_manager: Any) -> dict[str, Any]:
        return {"train": self._generate_examples(dl_manager.manual_dir / self.MANUAL_FILES[0])}

    def _generate_examples(self, path: Any) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yields (index, example). Members are read into memory: an untrusted archive is never extracted."""
        try:
            with path.open("rb") as file, zipfile.ZipFile(file) as archive:
                for i, ((person, _), member) in enumerate(self._members(path, archive)):
                    yield i, {"image": _face(path, archive, member), "label": person - 1}
        except (
            OSError,
            EOFError,
            NotImplementedError,
            RuntimeError,
            zipfile.BadZipFile,
            zlib.error,
        ) as error:
            # NotImplementedError and RuntimeError: an unknown compression method, a password
            raise _broken(path, str(error)) from error

    def _members(self, path: Any, archive: zipfile.ZipFile) -> list[tuple[tuple[int, int], zipfile.ZipInfo]]:
        faces: dict[tuple[int, int], zipfile.ZipInfo] = {}
        for member in archive.infolist():
            if match := _MEMBER.fullmatch(member.filename):
                key = int(match[1]), int(match[2])
                if key in faces:
                    raise _broken(path, f"s{key[0]}/{key[1]}.pgm twice")
                faces[key] = member
        keys = {(person + 1, face + 1) for person in range(self.NUM_PERSONS) for face in range(self.FACES_PER_PERSON)}
        if missing := sorted(keys - set(faces)):
            raise _broken(path, f"no s{missing[0][0]}/{missing[0][1]}.pgm, {len(missing)} missing in all")
        return [(key, faces[key]) for key in sorted(keys)]


def _face(path: Any, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> np.ndarray:
    """Reads one face, (112, 92, 1) uint8."""
    if member.file_size > _MOST_BYTES:
        raise _broken(path, f"{member.filename} of {member.file_size} bytes")
    data = archive.read(member)
    try:
        with Image.open(io.BytesIO(data), formats=["PPM"]) as image:
            if image.mode != "L" or image.size != (_WIDTH, _HEIGHT):
                raise _broken(path, f"{member.filename}: {image.size} pixels, mode {image.mode}")
            return np.asarray(image)[..., None]
    except (OSError, SyntaxError) as error:
        raise _broken(path, f"{member.filename}: {error}") from error
    except UserError:
        raise
    except ValueError as error:  # a header with something else than numbers
        raise _broken(path, f"{member.filename}: {error}") from error


def _broken(path: Any, reason: str) -> UserError:
    expectation = "a zip archive of the faces s1/1.pgm to s40/10.pgm, 92 wide, 112 high, 8 bits"
    return expected(expectation, f"{path} ({reason})", "Download it again.")
