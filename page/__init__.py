"""`divainfer monitor --serve`: a run in a browser. A room of its own, since it shows results and images beside the figures."""
