"""Order parameters through the layers, forward and backward; deep networks' phases."""
