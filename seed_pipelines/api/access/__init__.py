"""Who may do what: bearer tokens, one policy file, and a row for every decision. `decide.py` is the way in."""
