"""Many models under the same attacks, inversions and measures."""
