"""
What makes the traffic and takes it, each a process of its own and as cheap as the
standard library allows, so that what is measured is the limit.
"""
