"""The row of human readers in tables, in a file that imports nothing heavy."""

READERS = "readers"  # its name, where models have theirs
AGAINST = "each reader against the others' consensus"  # what stands beside it
