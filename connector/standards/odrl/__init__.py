"""ODRL usage policies: read, decide, compare and explain them. Pure; unknown never permits.

`policy` has the structs, `intake` reads and writes the wire form, `operands` knows what may be tested, `decide` judges
a use, `normal` compares, `explain` puts a policy into words, `templates` fills the policies that ship.
"""
