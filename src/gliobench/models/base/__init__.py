"""What every model takes, gives and refuses: questions, predictions, errors, operating points."""
