"""Figures of the results."""

from tfinv.reporting.figures.course import course_plot
from tfinv.reporting.figures.curves import accuracy_curves, draw_accuracy_curves
from tfinv.reporting.figures.grids import Neighbours, image_grid, neighbour_grid
from tfinv.reporting.figures.nearest import class_grid, nearest_grid

__all__ = [
    "Neighbours",
    "accuracy_curves",
    "class_grid",
    "course_plot",
    "draw_accuracy_curves",
    "image_grid",
    "nearest_grid",
    "neighbour_grid",
]
