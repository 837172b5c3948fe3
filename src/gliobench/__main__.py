"""`python -m gliobench`: the command where its script is not on the path, as in a job."""

from gliobench.cli.app import main

main()
