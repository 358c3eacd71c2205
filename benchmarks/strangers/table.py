"""The table of the models, `models.csv`: where each is published, and what its authors' code says of its images."""

import csv
import dataclasses
import hashlib
import pathlib

TABLE = pathlib.Path(__file__).with_name("models.csv")


@dataclasses.dataclass(frozen=True)
class Stranger:
    """A published model.

    Attributes:
      source: owner and name of its public repository, or the name of its package.
      version: commit, or version of the package.
      path: of the file or folder, in it.
      sha256: of the file; of a folder, of the names and contents of its files.
      form: format, and the version that wrote it.
      image: (H, W, C) of the images that are given to it.
      size: "HxW" where it takes any, which has to be said.
      bounds: range of pixels that its authors' code gives it, "low,high"; empty where `preprocessing` says it.
      channels: "bgr", or empty for RGB.
      preprocessing: text form of `tfinv.importing.preprocessing`, or empty.
      help: argument without which it can't come in, such as "output=gender".
      data: name of labelled images, see `images`; empty if there are none.
      order: names of the classes in the order of its outputs, joined with |; empty for the data set's own.
      needs: why it isn't a whole classifier of images that can be expected to come in; empty if it is.
      notes: what else its authors' code says.
    """

    source: str
    version: str
    path: str
    sha256: str
    form: str
    image: tuple[int, ...]
    size: str
    bounds: str
    channels: str
    preprocessing: str
    help: str
    data: str
    order: str
    needs: str
    notes: str

    @property
    def name(self) -> str:
        """Source and path, by which it is known."""
        return f"{self.source}/{self.path}"

    @property
    def kind(self) -> str:
        """The form without the version."""
        return self.form.split(",")[0]

    def within(self, folder: pathlib.Path) -> pathlib.Path:
        """The model's path in the folder of all: OWNER+NAME-COMMIT/PATH, or PACKAGE-VERSION/PATH."""
        version = self.version[:7] if "/" in self.source else self.version
        return folder / f"{self.source.replace('/', '+')}-{version}" / self.path


def strangers(parts: str = "") -> list[Stranger]:
    """All models whose source or path has one of `parts` in it, which are joined with commas."""
    with TABLE.open(newline="") as file:
        rows = list(csv.DictReader(file))
    models = [Stranger(**row | {"image": tuple(int(size) for size in row["image"].split("x"))}) for row in rows]
    return [model for model in models if any(part in model.name for part in parts.split(","))]


def digest(path: pathlib.Path) -> str:
    """The SHA-256 of a file, or of the names and contents of a folder's files."""
    if path.is_file():
        return hashlib.sha256(path.read_bytes()).hexdigest()
    total = hashlib.sha256()
    for file in sorted(str(file) for file in path.rglob("*") if file.is_file()):
        total.update(str(pathlib.Path(file).relative_to(path)).encode() + b"\0" + pathlib.Path(file).read_bytes())
    return total.hexdigest()
