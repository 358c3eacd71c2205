"""Models of other runtimes, .tflite and .onnx files: black boxes of scores, without gradients."""
