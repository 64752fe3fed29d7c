"""The audit log: who did what, in files that show whether anybody changed them (docs/audit.md)."""
