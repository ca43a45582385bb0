"""Who may do what? Keys and tokens are compared here, in constant time, and nowhere else."""
