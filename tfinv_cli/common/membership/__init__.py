"""Parts of `tfinv membership`: its examples, its run, and what it keeps."""
