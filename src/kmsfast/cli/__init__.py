"""The command line: arguments to calls, tables and progress to the screen, errors to exit codes.

Rules:
- `--help` imports nothing but click: everything heavy is imported inside the commands;
- results go to stdout, everything else to stderr; secrets go nowhere;
- a failure is one line that names the value and the remedy, and an exit code (docs/cli.md).
"""
