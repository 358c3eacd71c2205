"""Splitting a classifier into encoder and head, as two views of the same model."""

import keras

from tfinv.errors import expected

ENCODING = "encoding"


def split(model: keras.Model, layer: str = ENCODING) -> tuple[keras.Model, keras.Model]:
    """Splits a functional classifier after the named layer.

    Args:
      model: images (batch, H, W, C) to logits (batch, classes).
      layer: name of the encoder's last layer.

    Returns:
      encoder (images to encoding) and head (encoding to logits); both share the model's weights.

    Raises:
      UserError: the model has no layer of that name.
    """
    if layer not in [x.name for x in model.layers]:
        raise expected(
            f"a model with a layer named {layer!r}",
            ", ".join(x.name for x in model.layers),
            "Name the last layer of its encoder so, or pass `layer`.",
        )
    encoding = model.get_layer(layer).output
    return keras.Model(model.inputs[0], encoding, name="encoder"), keras.Model(encoding, model.outputs[0], name="head")
