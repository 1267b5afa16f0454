"""One module for each system outside of this process; each turns that system's errors into ours."""
