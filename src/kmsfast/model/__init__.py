"""Values without I/O: keys and their states, aliases, tags, ARNs, encryption contexts."""
