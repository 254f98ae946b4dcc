"""
What hybridconn knows without touching the world: values, codecs, decisions and
refusals.  No input or output, no clock, no chance, no Twisted.
"""
