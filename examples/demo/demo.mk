# The demo: a million people, their private columns encrypted, the key rotated, everything compared.

.PHONY: demo

demo: install ## a million people encrypted by column, decrypted, compared; in under a minute
	$(BIN)/python examples/demo/demo.py
