"""The control plane: who may write, what is in, what is published. One statement a decision, the database's clock."""
