"""What other people's files hold as texts: any pipe, archive, encoding or layout, a block at a time.

inputs         a file, a pipe, standard input or an archive as one stream of bytes
encodings      bytes in any encoding to UTF-8, a byte order mark taken off
blocks         texts with their line numbers; the lines of a text
json_strings   the strings of JSON in any layout
parquet        the strings of a Parquet file
pieces         texts longer than a block, parted so that each piece can be searched apart
reading        one input from the first byte to the last block
"""
