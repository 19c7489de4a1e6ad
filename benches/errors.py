"""What goes wrong on purpose."""


class Unavailable(Exception):
    """A program that is measured, or needed for it, cannot be had; the message says why."""
