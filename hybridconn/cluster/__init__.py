"""
One relay in several processes of one machine, for more than one core.

    clients ---> public port, shared by all workers
                 worker 1 -- own port     the listener of a sender is sent to the
                 worker 2 -- own port     worker that holds the sender
                    \\  /
                 supervisor: starts them, starts them again, passes their messages on

  - L{hybridconn.cluster.supervisor} is the process that C{twistd} runs.
  - L{hybridconn.cluster.__main__} is the program of the others.
  - L{hybridconn.cluster.bus} carries messages between them, over a UNIX socket.

What the workers say to one another is L{hybridconn.relay.presence}'s business.
"""
