"""One model in memory: the file as llama.cpp loads it, a context to decode in, and the model's chat template."""
