"""The model that ships with negtemp: text, vocabulary, network, training, export, measurement."""
