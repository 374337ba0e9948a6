"""The cluster that the tests and the demo run on: a real kind cluster, or only its API server.

See README.md in this folder. `python -m tests.cluster --help` is its command line, `fixtures` what pytest gets.
"""
