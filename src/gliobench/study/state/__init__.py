"""What a run has in common: its context, folder, locks, stages, progress."""
