"""Records to something to look at. A view sees records only; every byte of a model goes through `printable`."""
