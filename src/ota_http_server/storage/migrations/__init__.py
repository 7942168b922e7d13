"""The steps that lead any earlier database to today's tables. A released step never changes."""
