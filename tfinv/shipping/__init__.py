"""Packing of a trained model that ships with the package, and its card."""
