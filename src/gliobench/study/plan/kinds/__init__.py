"""What each kind of model takes, one file a kind."""
