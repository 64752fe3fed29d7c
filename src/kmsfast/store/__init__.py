"""The key store: SQLite in a directory, every row authenticated, the root key beside it or not."""
