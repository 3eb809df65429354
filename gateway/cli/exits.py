"""What the exit status of every command means, and which error ends in which."""

from enum import IntEnum

from gateway.model.errors import ConfigError, GatewayError, KeyMissing, NotFound, PayloadInvalid, Refused


class Exit(IntEnum):
    """Stable and public: scripts may rely on these. `gateway --help` lists them."""

    OK = 0
    FAULT = 1  # the command ran and found a fault: a balance that does not close, a failed check
    USAGE = 2  # wrong arguments or configuration: running it again changes nothing
    UNREACHABLE = 3  # an outside system, the database or this machine did not answer: try again
    REFUSED = 4  # not found, or the state does not allow the act
    BUG = 70  # an error nobody foresaw; the traceback says where (EX_SOFTWARE)
    INTERRUPTED = 130  # Ctrl-C


def exit_for(error: Exception) -> Exit:
    """The exit status that an error ends in."""
    if isinstance(error, ConfigError | KeyMissing):
        return Exit.USAGE
    if isinstance(error, NotFound | Refused | PayloadInvalid):
        return Exit.REFUSED
    if isinstance(error, GatewayError):
        return Exit.UNREACHABLE if error.retryable else Exit.FAULT
    return Exit.UNREACHABLE if isinstance(error, OSError) or is_database(error) else Exit.BUG


def is_database(error: BaseException) -> bool:
    """Whether a database driver raised it; asked by name, so that no driver is imported just to ask."""
    return type(error).__module__.partition(".")[0] in ("sqlalchemy", "asyncpg", "sqlite3", "pysqlite3")
