"""Features by hand and scikit-learn: the grade baseline that a network has to beat."""
