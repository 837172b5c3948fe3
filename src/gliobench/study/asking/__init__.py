"""What a study asks, of whom, about which slices, and which answers count."""
