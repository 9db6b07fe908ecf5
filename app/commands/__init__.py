"""One file for each command of `fleetbeat`."""
