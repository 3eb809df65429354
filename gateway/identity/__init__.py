"""VERIFY: identifier, names, rules, the sector database and the judge. Pure but for asking and remembering."""
