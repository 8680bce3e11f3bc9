"""The leading order refined by 1/M: means and spread over networks."""
