"""Answers and code from elsewhere: recorded texts and masks, and a person's own Python class."""
