"""The LMS-to-TEMIS integration gateway.

The SQLite of many systems (3.7.0-3.51.2) can lose committed writes when two processes checkpoint at
once (docs/decisions/0002-sqlite-library.md). So, before anything imports ``sqlite3``, the name is bound
to the pinned ``pysqlite3``, which brings its own, repaired library.
"""

import sys

import pysqlite3
import pysqlite3.dbapi2

sys.modules["sqlite3"] = pysqlite3
sys.modules["sqlite3.dbapi2"] = pysqlite3.dbapi2

__version__ = "0.1.0"
