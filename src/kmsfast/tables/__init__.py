"""Tables and files on disk: Parquet, CSV and sealed files in, the same out, in constant memory.

Rules:
- only the public API beneath (``kmsfast.open`` objects), so that what is written here any program
  can read with a few lines of Python;
- an output file appears under its name complete or not at all (`output`);
- memory does not grow with the file: one row group or one block of rows at a time.
"""
