"""Several hospitals: what leaves one of them, and what is made of it elsewhere."""
