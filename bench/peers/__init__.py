"""The servers that Fleetbeat is measured beside: those in Python as modules, those in Node in folders of their own."""
