"""One file per question. An experiment takes an engine, yields records, and never prints or writes a file."""
