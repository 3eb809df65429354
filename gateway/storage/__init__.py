"""Tables and the two engines (SQLite, PostgreSQL). The only floor that knows which engine is in use."""
