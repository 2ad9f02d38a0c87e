"""What was promised is a row: tables, queries, migrations. The only room with SQL."""
