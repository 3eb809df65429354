"""Rules of identity, one a file: `RULE` compares one thing of a claim with one file, `ORDER` is its turn.

The first code that holds, in this order, is the verdict's reason. A new rule is a new file here and its test.
"""
