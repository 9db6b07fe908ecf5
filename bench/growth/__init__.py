"""What grows with what: curves over devices, subscribers, workers and API processes, and a layout that loses parts of itself."""
