"""Callbacks of `keras.Model.fit` that measure robustness and membership inference after an epoch, as metrics to monitor."""

from tfinv.callbacks.membership_risk import MembershipRisk
from tfinv.callbacks.robust_accuracy import RobustAccuracy

__all__ = ["MembershipRisk", "RobustAccuracy"]
