"""Which charts there are, of which curves, and how figures are written; nothing is drawn here."""

KINDS = ("bench", "curves", "scale")  # of results, each a file

# File, the results that it is of, its curves side by side, and what it shows, in words.
CHART: dict[str, tuple[str, tuple[str, ...], str]] = {
    "throughput": (
        "curves", ("throughput-gcm-native", "throughput-xaes-native"),
        "Bytes per second by the size of records, the best way that this CPU has"),
    "throughput-aesni": (
        "curves", ("throughput-gcm-aesni", "throughput-xaes-aesni"),
        "Bytes per second by the size of records, with AES-NI and without VAES"),
    "python": (
        "curves", ("throughput-python",),
        "Bytes per second from Python by the size of records"),
    "threads": (
        "curves", ("threads",),
        "Speed of batches on several threads as a multiple of one thread"),
    "latency": (
        "curves", ("latency-socket-1", "latency-socket-16", "latency-http"),
        "Time within which a share of the requests was answered"),
    "scale-batches": (
        "scale", ("scale-batches",), "Nanoseconds per record by the number of records in a batch"),
    "scale-keys": (
        "scale", ("scale-keys", "scale-keys-memory"),
        "Times and memory by the number of keys in a store"),
    "scale-versions": (
        "scale", ("scale-versions",), "Times by the number of versions of a key"),
    "scale-audit": (
        "scale", ("scale-audit", "scale-audit-memory"),
        "Times and memory by the number of events in the audit log"),
}  # fmt: skip


def bytes_text(value: float) -> str:
    """A size: 16, 4 Ki, 1 Mi."""
    for limit, name in ((1 << 20, "Mi"), (1 << 10, "Ki")):
        if value >= limit:
            return f"{value / limit:g} {name}"
    return f"{value:g}"


def count_text(value: float) -> str:
    """Any other figure, with three digits: 0.12, 5, 1.2 k, 3.4 M, 5.6 G."""
    for limit, name in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if value >= limit:
            return f"{value / limit:.3g}{name}"
    return f"{value:.3g}"
