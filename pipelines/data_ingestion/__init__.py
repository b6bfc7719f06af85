"""Stage ingest_data: prices and news from a source to validated, versioned Parquet."""
