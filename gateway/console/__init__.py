"""HTML for people, at /console, and the same as JSON: how a page is made stands in gateway/console/page.py."""
