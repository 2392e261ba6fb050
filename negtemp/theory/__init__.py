"""The paper side: pure numpy functions without input or output."""
