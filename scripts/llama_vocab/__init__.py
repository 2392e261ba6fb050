"""A small LLaMA with LLaMA's own 32,000 tokens: its text, its training, its file and what comes out below zero."""
