"""Run every benchmark, or those whose parts are named: `python -m tests.bench webhook sts`."""

import argparse
import importlib
from pathlib import Path

found = sorted(path.stem.removeprefix("bench_") for path in Path(__file__).parent.glob("bench_*.py"))
parser = argparse.ArgumentParser(prog="python -m tests.bench", description="Print figures, a table a part.")
parser.add_argument("part", nargs="*", metavar="PART", help=f"one or more of: {', '.join(found)}; by default all")
asked = parser.parse_args().part
if unknown := set(asked) - set(found):
    parser.error(f"there is no part {', '.join(sorted(unknown))}; there are {', '.join(found)}")
for part in asked or found:
    importlib.import_module(f"tests.bench.bench_{part}").main()
