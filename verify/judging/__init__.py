"""Theory and measurement side by side: pairs, observations, series, ratios judged, the verdict. No text, no figure."""
