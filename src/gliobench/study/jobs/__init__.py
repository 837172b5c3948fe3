"""A study as jobs that can run side by side, on this machine or on a cluster."""
