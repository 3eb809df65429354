"""`gateway identity explain`: one claim asked live, as a report for operators."""
