"""TensorBoard logs of the results."""
