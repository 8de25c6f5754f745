"""One file per truth: each listens to the servers or the clients and appends to a tape."""
