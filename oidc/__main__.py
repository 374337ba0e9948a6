"""`python -m oidc` is `irsa oidc`."""

import sys

from irsa.cli import main

main(["oidc", *sys.argv[1:]])
