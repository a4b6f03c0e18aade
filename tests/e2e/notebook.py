"""Runs a notebook from its folder, cell by cell, and fails where a cell fails: notebook.py NOTEBOOK OUTPUT."""

import pathlib
import sys

import nbclient
import nbformat

source, output = map(pathlib.Path, sys.argv[1:])
notebook = nbformat.read(source, as_version=4)
assert not any(cell.get("outputs") for cell in notebook.cells), "commit the notebook without outputs: they hold tokens"
client = nbclient.NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(source.parent)}})
try:
    client.execute()
finally:
    nbformat.write(notebook, output)
print("".join(text.get("text", "") for cell in notebook.cells if cell.cell_type == "code" for text in cell.outputs))
