"""What is measured, one key of `results.json` a file or two."""
