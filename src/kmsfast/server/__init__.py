"""The HTTP door: the API of AWS KMS on a socket.

Rules:
- one event loop serves all connections; it runs what needs neither the disk nor another process,
  and leaves everything else to threads;
- whatever a client sends is answered by AWS's error or by closing that one connection;
- every buffer and every wait has a bound;
- without authentication only this machine can connect.
"""
