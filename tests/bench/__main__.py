"""Run every benchmark, or those whose parts are named: `python -m tests.bench webhook sts`."""

import importlib
import sys
from pathlib import Path

found = sorted(path.stem.removeprefix("bench_") for path in Path(__file__).parent.glob("bench_*.py"))
for part in sys.argv[1:] or found:
    importlib.import_module(f"tests.bench.bench_{part}").main()
