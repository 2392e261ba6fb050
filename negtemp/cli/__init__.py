"""One file per command, each thin: it reads options, loops over an experiment, writes and draws."""
