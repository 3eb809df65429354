"""`python -m bench`: every benchmark in turn; results are kept, docs/performance.md is written anew.

Each runs in a process of its own, so that none inherits another's memory.
"""

import argparse
import subprocess
import sys

from bench import report
from gateway.model.discovery import discover


def main() -> int:
    """Returns: 0 when every benchmark ran, whether or not the targets are met."""
    names = list(discover("bench", "BENCH"))
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=names, default=names, help="which ones")
    parser.add_argument("--quick", action="store_true", help="a try of all in a minute; nothing is kept")
    given = parser.parse_args()
    failed = []
    for name in given.only:
        command = [sys.executable, "-m", f"bench.{name}", "--quick" if given.quick else "--save"]
        if subprocess.run(command, check=False).returncode:
            failed.append(name)
    if not given.quick:
        report.write(report.read())
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
