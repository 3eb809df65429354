"""What every table shares: one metadata, one way to name constraints, one type of row id."""

from sqlalchemy import BigInteger, Integer, MetaData

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# SQLite only lets an INTEGER be the row id; PostgreSQL needs 64 bits.
Id = BigInteger().with_variant(Integer(), "sqlite")
