"""What the gateway tells about itself: structured logs without personal values, metrics, trace context."""
