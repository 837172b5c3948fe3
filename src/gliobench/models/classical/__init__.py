"""Hand-crafted features and scikit-learn: the grade baseline that a network has to beat."""
