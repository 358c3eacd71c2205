"""The `Classifier`: logits and features of bounded images. Attacks, inversions and evaluations take one."""

from tfinv.classifier.classifier import GRADIENTS, Classifier

__all__ = ["GRADIENTS", "Classifier"]
