"""How fast is it, compared with what? Benchmarks of a minute; ratios count, since absolute times are a machine's."""
