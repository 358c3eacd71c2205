"""Benchmarks that make figures of the documentation; not part of the installed package."""

import tfinv  # noqa: F401  before Keras, since it imports TensorFlow quietly
