"""What the entries of a study file are made of, and the stages of a run."""
