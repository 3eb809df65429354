"""What long-running commands share; a folder, so that listing the commands imports none of it."""
