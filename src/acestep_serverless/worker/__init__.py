"""What does a worker run? The handler, the delivery of its files and results, and the official Runpod SDK's set-up.

`handler` needs `generation` (one ACE-Step task) and `answer` (files and output, with `embedding`); `delivery` holds
the places a file can go (`sink` says what such a place is, `patience` how long the gateway may be away, `link` where
it is); `kept` remembers finished outputs (`kept_file` is one of them on disk); `loop` ties the handler to the SDK,
`sdk` prepares and starts it, `lifeline` ends its heartbeat with it.
"""
