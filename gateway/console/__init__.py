"""HTML for people: pages, templates and their texts."""
