"""How large, right and fast the files of a model are."""
