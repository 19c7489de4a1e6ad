"""What goes wrong on purpose."""


class Unavailable(Exception):
    """A program that is run, or needed for it, cannot be had or has failed; the message says why."""
