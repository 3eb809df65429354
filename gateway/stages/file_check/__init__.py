"""A file of people -> each row judged live -> the same file with reasons and remedies."""
