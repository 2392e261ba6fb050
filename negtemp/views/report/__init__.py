"""A saved run as a report: one HTML file that opens anywhere, or a piece of a notebook; made from records alone.

document     what a report is made of
about        how the run was made
generations  run, compare, sweep
spectra      spectrum
centroids    centroid
asking       repeat, reproduce
audits       audit, audit --diff, census, scan
pictures     what the pictures look like; svg makes them
html         the file

Rows and sentences are those of the terminal's views; what is added here is the order, the pictures and the words around
them. It leaves out where the file goes (`cli.report`).
"""
