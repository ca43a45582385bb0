"""How is each process built? Settings become a gateway core, a worker, an ACE-Step server, or the parent of them
all."""
