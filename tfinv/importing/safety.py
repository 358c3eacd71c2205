"""A look at the configuration of a Keras model, as data, for code and for functions that do more than compute."""

from typing import Any

_CODE_CLASSES = {"__lambda__", "TorchModuleWrapper", "TFSMLayer"}
_FUNCTION_MODULES = {
    "activations", "constraints", "initializers", "layers", "losses", "metrics", "ops", "random", "regularizers",
}  # fmt: skip


def find_unsafe(config: Any) -> str | None:
    """Describes the first part of a configuration that contains code or a function that may do more than compute.

    Keras 1 and 2 stored the code of a Lambda layer as a list or string of marshalled bytes, with "lambda" as the type of the
    function, of its output shape or of a merge; Keras 3 stores it as "__lambda__".
    """
    if isinstance(config, list):
        return next((part for item in config if (part := find_unsafe(item))), None)
    if not isinstance(config, dict):
        return None
    name, inner, module = config.get("class_name"), config.get("config"), config.get("module")
    if isinstance(name, str) and name.split(">")[-1] in _CODE_CLASSES:
        return "code of its own (a lambda)" if name == "__lambda__" else f"a {name}"
    if isinstance(inner, dict) and (_has_lambda(inner) or isinstance(inner.get("function"), list)):
        return "code of its own (a lambda)"
    if name == "function" and isinstance(module, str):
        package, _, rest = module.partition(".")
        computes = rest.split(".")[0] in _FUNCTION_MODULES or inner == "preprocess_input"
        if package == "keras" and not computes:
            return f"the function {module}.{inner}"
    return find_unsafe(list(config.values()))


def _has_lambda(config: dict[str, Any]) -> bool:
    return any(key.endswith("_type") and value == "lambda" for key, value in config.items())
