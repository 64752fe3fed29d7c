# The documentation site. Its tools are in an environment of their own, which sees what .venv has.
DOCS_TOOLS := build/docs-tools
DOCS_STAMP := $(DOCS_TOOLS)/.installed

.PHONY: docs

docs: install $(DOCS_STAMP) ## the documentation site in build/docs; a warning is an error
	$(DOCS_TOOLS)/bin/python -m sphinx --fail-on-warning --keep-going --quiet --builder html --doctree-dir build/doctrees docs build/docs

$(DOCS_STAMP): docs/requirements.txt | $(STAMP)
	$(PYTHON) tools/make_venv.py $(DOCS_TOOLS)
	$(DOCS_TOOLS)/bin/python -m pip install --quiet --requirement docs/requirements.txt || echo "the documentation site cannot be built here: its test says so" >&2
	site=$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))'); \
	echo "import site; site.addsitedir('$$site')" > "$$($(DOCS_TOOLS)/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/kmsfast.pth"
	touch $@
