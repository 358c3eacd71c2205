"""Scalars of calibration and corruptions."""

import audited
from tfinv.reporting.tensorboard.audit_log import audit_scalars


def test_each_measure_and_corruption_has_its_scalars():
    rows = audited.rows()
    kinds = ([r for r in rows if r["kind"] == kind] for kind in ("calibration", "corruption", "accuracy"))
    (writes,) = audit_scalars(*kinds).values()
    points = [write.args[:3] for write in writes]
    assert ("calibration/ece", 0.062, 0) in points
    fog = [(step, value) for tag, value, step in points if tag == "corruption/fog"]
    assert [step for step, _ in fog] == [0, 1, 2, 3, 4, 5]
    assert (fog[0][1], round(fog[5][1], 6)) == (0.941, 0.49)
