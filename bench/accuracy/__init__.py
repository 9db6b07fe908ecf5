"""How right the rules are: a labelled month of a synthetic fleet, judged by the product's own engine, and scored.

`generate` makes the month from a seed and `incidents` says what is wrong in it; both know nothing of how it is judged.
`detect` runs the platform's rules over it, `score` holds the alerts against the labels.
"""
