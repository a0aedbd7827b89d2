"""stub"""

SUFFIXES = ()


def read(source, **kw):
    raise NotImplementedError
