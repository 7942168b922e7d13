"""What all tables share: how constraints are named, and a key that counts up by itself."""

from sqlalchemy import BigInteger, Integer, MetaData

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# SQLite counts up by itself only for a primary key of exactly INTEGER.
Counted = BigInteger().with_variant(Integer, "sqlite")
