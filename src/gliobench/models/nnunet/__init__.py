"""nnU-Net v2 in a process of its own."""
