"""The seeds' experiments, each a short composition of the packages below."""
