"""`python -m webhook` is `irsa webhook`."""

import sys

from irsa.cli import main

main(["webhook", *sys.argv[1:]])
