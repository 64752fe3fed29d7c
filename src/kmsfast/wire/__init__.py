"""The AWS JSON protocol as pure functions of bytes and values; nothing here does I/O.

Rules:
- shapes, required members, lengths, patterns, enumerations and ranges are read from AWS's own
  service model, which the caller loads; none is written down here;
- bytes become checked values, or exactly one error with the words of AWS;
- what is secret (``sensitive`` in the model, and every blob) is never repeated in an error.
"""
