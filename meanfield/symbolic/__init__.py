"""SymPy: derivatives, closed forms by Price's theorem, LaTeX."""
