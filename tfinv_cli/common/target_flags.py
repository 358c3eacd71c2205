"""Flags of the model under test and its images."""

from tfinv import catalogue
from tfinv_cli.common import flags

MODEL = flags.path(
    "model", None, "Path of a model: .keras, .h5, a SavedModel folder, .tflite or .onnx; or pretrained:NAME."
)
BOUNDS = flags.numbers(
    "bounds",
    None,
    "Least and largest pixel value that the model takes: 0,1 or 0,255 or -1,1. With --preprocessing, those before it. "
    "By default 0,1, or what the preprocessing takes.",
)
OUTPUTS = flags.choice("outputs", None, catalogue.OUTPUTS, "What the model gives, where it can't be seen.")
OUTPUT = flags.text("output", None, "Name or index of the output that classifies, of a model with several.")
THRESHOLD = flags.real("threshold", None, "Probability of class 1 from which a binary model says 1, in place of .5.")
PREPROCESSING = flags.text(
    "preprocessing",
    None,
    "What was done to the images before the model saw them, if the model doesn't do it: a network of keras.applications, such "
    "as resnet50; caffe, tf or torch; mean=...,std=...; divide=255; standardise. docs/models-you-have.md has them all.",
)
CHANNELS = flags.choice("channels", "rgb", catalogue.CHANNELS, "bgr for a model that was trained on OpenCV's images.")
CLASS_NAMES = flags.path(
    "class_names",
    None,
    "Names of the model's classes in the order of its outputs, separated by commas, or a file with one a line: folders are "
    "matched by name.",
)
CUSTOM_OBJECTS = flags.text(
    "custom_objects",
    None,
    "A Python module with the model's own layers and functions. It is imported, and so its code runs.",
)
RESIZE = flags.choice(
    "resize",
    None,
    catalogue.RESIZING,
    "How files are decoded and resized: as image_dataset_from_directory of Keras does, or by Pillow, which smooths. By "
    "default keras for your own files, pillow for the data sets by name.",
)
UNSAFE = flags.switch(
    "allow_unsafe_deserialization", False, "Load a model file even if it can run code. Only for files you trust."
)

FLAGS = (
    MODEL,
    BOUNDS,
    OUTPUTS,
    OUTPUT,
    THRESHOLD,
    PREPROCESSING,
    CHANNELS,
    CLASS_NAMES,
    CUSTOM_OBJECTS,
    UNSAFE,
    flags.dataset(None),
    flags.DATA_DIR,
    flags.SPLIT,
    flags.LIMIT,
    flags.IMAGE_SIZE,
    RESIZE,
)
REQUIRED = ("model", "dataset", "workdir")
