"""What updating means: values and rules, with no I/O, no framework and no clock."""
