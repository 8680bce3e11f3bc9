"""The sweep: what is asked, cell by cell."""
