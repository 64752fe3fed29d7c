"""What kmsfast does, one method per operation: keys and their life, encryption, batches."""
