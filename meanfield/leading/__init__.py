"""The theorems of leading order in the width: moments, outliers, exponents, and where they hold."""
