"""The durable queue: accept, claim, record, wake, replay. Rows move only as model/states.py allows."""
