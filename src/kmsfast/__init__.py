"""kmsfast: the semantics of AWS KMS on your own machine, with a batched crypto core in C."""
