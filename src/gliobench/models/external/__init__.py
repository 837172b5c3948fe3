"""External answers and code: recorded texts and masks, and a user's own Python class."""
