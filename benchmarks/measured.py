"""Runs a command, its output to /dev/null, and prints its peak resident memory in KiB.

A process of its own, because Linux counts the memory of the process that starts a command towards
that command's peak: this one is small, the benchmarks are not.
"""

import os
import sys

if __name__ == "__main__":
    discard = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
    child = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ, file_actions=discard)
    _, status, usage = os.wait4(child, 0)
    print(usage.ru_maxrss)
    sys.exit(os.waitstatus_to_exitcode(status))
