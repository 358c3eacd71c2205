"""Parts that the commands share: flags, parsing, loading, and the end of a run."""
