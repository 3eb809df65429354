"""How far the people of each unit are: counted from the cases, unit by unit, and written for others."""
