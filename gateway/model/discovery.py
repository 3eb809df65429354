"""A folder is a registry: every module in a package that defines an attribute is a member.

Connectors, rules, pages and commands are found this way, so a new one is a new file and no list is edited.
"""

import importlib
import pkgutil

from gateway.model.errors import ConfigError


def discover(package: str, attribute: str) -> dict[str, object]:
    """Import every module of `package` and collect `attribute` where a module defines it.

    Returns: module name (its last part) -> value, ordered by name; modules without the attribute are left out.
    Raises: ConfigError naming the module that fails to import: a member never vanishes silently.
    """
    try:
        home = importlib.import_module(package)
    except ImportError as error:
        raise ConfigError(f"package {package} cannot be imported: {error}") from error
    members: dict[str, object] = {}
    for name in sorted(module.name for module in pkgutil.iter_modules(home.__path__)):
        try:
            module = importlib.import_module(f"{package}.{name}")
        except Exception as error:  # whatever stops a member stops the start-up
            raise ConfigError(
                f"{package}.{name} cannot be imported: {type(error).__name__}: {error}"
            ) from error
        if hasattr(module, attribute):
            members[name] = getattr(module, attribute)
    return members
