"""How fast and how surely alerts are told, through processes as users run them and receivers that may fail."""
