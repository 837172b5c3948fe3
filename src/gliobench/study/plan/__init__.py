"""What a study takes, before anything is done."""
