"""The rules of the house, kept by reading the source: layers, homes, sizes, names. Nothing here runs the product."""
