"""Tables and files on disk: Parquet, CSV and sealed files in, the same out.

Rules:
- keys and data only by the public API (``kmsfast.open`` objects), so that what is written here any
  program can read with a few lines of Python; besides, the thread of ``service.ahead``;
- an output file appears under its name complete or not at all (`output`);
- memory grows with a row group of the input, or a block of rows, not with the number of these.
"""
