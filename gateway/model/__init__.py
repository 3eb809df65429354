"""Ground floor: the values that flow through the gateway and the errors it can raise.

Nothing here does I/O or knows of a database, a vendor or HTTP; only the standard library and pydantic.
"""
