"""The sandbox on uvloop: it takes as little as it can from the cores it shares with what is measured.

`python -m bench.sandbox PORT ROSTER`
"""

import sys
from pathlib import Path

import uvloop

from gateway.sandbox.server import run

if __name__ == "__main__":
    uvloop.run(run(int(sys.argv[1]), Path(sys.argv[2]), ready=lambda address: print(address, flush=True)))
