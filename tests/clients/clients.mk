# Clients of others: their own environment, which the tests in tests/clients take programs from.
CLIENTS := build/clients
CLIENTS_STAMP := $(CLIENTS)/.installed
CLIENTS_FILES := tests/clients/requirements.txt tests/clients/programs/package.json

.PHONY: clients test-clients soak

clients: $(CLIENTS_STAMP) ## clients of others into build/clients, for tests/clients

$(CLIENTS_STAMP): $(CLIENTS_FILES)
	$(PYTHON) tools/make_venv.py $(CLIENTS)
	$(CLIENTS)/bin/python -m pip install --quiet --requirement tests/clients/requirements.txt || echo "clients of others cannot be had here: their tests say so" >&2
	mkdir -p $(CLIENTS)/js
	cp tests/clients/programs/package.json $(CLIENTS)/js
	npm install --prefix $(CLIENTS)/js --silent --no-audit --no-fund --no-package-lock || echo "the JavaScript SDK cannot be had here: its test says so" >&2
	touch $@

test-clients: install $(CLIENTS_STAMP) ## the server with real clients: aws, boto3, SDKs, S3 servers
	$(BIN)/python -m pytest tests/clients

soak: install ## memory of both servers over a million requests, with the figures
	$(BIN)/python -m pytest -s -m slow tests/clients/test_soak.py tests/clients/test_socket_soak.py
