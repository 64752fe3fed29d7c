"""The only package that touches C: handles in, bytes and columns out, no key material."""
