"""Hot operations without GraphQL between them and their use case.

A document is executed the general way first. When it is one operation with one hot field, whose argument is a whole variable or
a constant, it is compiled to a plan; from then on the same text takes the plan. Whatever does not fit, or might not, goes the
general way, and that is decided before the use case is called: a mutation runs once. Answers are the same to the byte.
"""
