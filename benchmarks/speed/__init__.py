"""What benchmarks/generation.py measures, a file for each subject.

machine     what the figures were measured on
models      the three models, written where they are missing
programs    one child process: its output, seconds and peak memory
upstream    llama.cpp's own programs: their commands, and their output read
worker      negtemp, in a process of its own      peers    llama-cpp-python and transformers, likewise
parts       what is run beside what               rows     one figure, and the file that keeps them as they come
table       rows to Markdown
"""
