"""`python -m irsa` is the `irsa` command."""

from irsa.cli import main

main()
