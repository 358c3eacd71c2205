"""Attacks with shadow models, and the store of these models' logits that all of them read.

`shadows` and `store` hold the logits and who was trained on what; `reading` goes through them in chunks, `moments`, `variances`
and `confidences` sum them up; each other file is an attack.
"""

from tfinv.membership.shadows.shadows import Shadows
from tfinv.membership.shadows.store import ShadowStore, examples_digest

__all__ = ["ShadowStore", "Shadows", "examples_digest"]
