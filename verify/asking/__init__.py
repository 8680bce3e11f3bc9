"""The sweep: what is asked, cell by cell, and the records of all rooms. A preset is a file in ``sweeps/``."""
