"""Any torch module: which rule serves a layer, autograd where none does."""
