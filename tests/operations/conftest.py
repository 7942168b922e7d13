"""Rows in tests are real: SQLite and PostgreSQL."""

from tests.storage.fixtures import clock, database, database_url

__all__ = ["clock", "database", "database_url"]
