"""The pages, one file for each: a module that defines PAGES is found and served (gateway/console/page.py)."""
