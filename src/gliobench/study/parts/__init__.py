"""What the entries of a study file are made of."""
