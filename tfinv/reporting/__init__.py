"""The results schema and its views: console, HTML, TensorBoard, figures."""
