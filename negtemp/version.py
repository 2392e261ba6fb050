"""The version, in a place of its own: whoever needs it need not import the package's face."""

__version__ = "0.1.0"
