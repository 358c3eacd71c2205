"""What the documentation's figures are made with; not part of the package that is installed."""

import tfinv  # noqa: F401  before Keras, for it imports TensorFlow quietly
