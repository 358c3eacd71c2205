"""Loading a `Classifier` from a file or a folder."""

from tfinv.importing.loading import load_classifier
from tfinv.importing.probing import probe_preprocessing

__all__ = ["load_classifier", "probe_preprocessing"]
