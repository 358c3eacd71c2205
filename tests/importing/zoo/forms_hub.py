"""Forms of KerasHub's classifiers."""

import numpy as np

from zoo import Built, Form


def image_classifier(folder):
    """A small vision transformer behind a preprocessor, which `predict` applies."""
    import keras_hub

    sizes = {"patch_size": (4, 4), "num_layers": 1, "num_heads": 2, "hidden_dim": 16, "mlp_dim": 32}
    converter = keras_hub.layers.ViTImageConverter(
        image_size=(16, 16), scale=[1 / 58.4, 1 / 57.1, 1 / 57.4], offset=[-2.1, -2.0, -1.8]
    )
    model = keras_hub.models.ViTImageClassifier(
        backbone=keras_hub.models.ViTBackbone(image_shape=(16, 16, 3), **sizes),
        num_classes=4,
        preprocessor=keras_hub.models.ViTImageClassifierPreprocessor(image_converter=converter),
    )
    model.save(folder / "model.keras")
    images = np.random.default_rng(1).integers(0, 256, (5, 16, 16, 3)).astype(np.float32)
    return Built(folder / "model.keras", images, model.predict(images, verbose=0))


FORMS = [
    Form(
        "Preprocessing",
        "KerasHub's ImageClassifier",
        "The preprocessor in its configuration goes in front.",
        image_classifier,
        needs=("keras_hub",),
    ),
]
