"""The operations that TensorFlow runs: those that are left when all that leads to no result has been removed from a graph."""

import collections
import contextlib

from tensorflow.python.eager import context


@contextlib.contextmanager
def executed_operations():
    """Counts the operations in the graphs of the compiled functions that run in it, by type; filled when it ends."""
    operations = collections.Counter()
    context.context().enable_run_metadata()
    try:
        yield operations
    finally:
        metadata = context.context().export_run_metadata()
        context.context().disable_run_metadata()
        for function in metadata.function_graphs:
            for graph in function.partition_graphs:
                operations.update(node.op for node in graph.node)
                operations.update(node.op for inner in graph.library.function for node in inner.node_def)


def filter_gradients(operations):
    """Operations that compute the gradient of a convolution's filters, in whatever implementation."""
    return sorted(operation for operation in operations if "BackpropFilter" in operation)
