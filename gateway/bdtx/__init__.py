"""The domain of BDTX (bồi dưỡng thường xuyên): modules, school years, courses, which result counts."""
