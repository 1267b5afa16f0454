"""The door for HTTP: the same flow as the command line, governed."""
