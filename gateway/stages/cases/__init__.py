"""Cases: deliveries as the people of a unit look for them, read them, and act on them."""
