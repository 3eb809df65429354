"""`python -m gateway` and the `gateway` command."""

import os
import sys


def main() -> None:
    from gateway.cli import run

    sys.exit(run(sys.argv[1:], os.environ))


if __name__ == "__main__":
    main()
