"""Calling others: one request per attempt, token, breaker, limiter, TLS."""
