"""Token ids, their bytes and their text: the vocabulary, categories, look-up by name, and prompts made of ids."""
