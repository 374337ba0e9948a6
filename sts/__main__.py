"""`python -m sts` is `irsa sts`."""

import sys

from irsa.cli import main

main(["sts", *sys.argv[1:]])
