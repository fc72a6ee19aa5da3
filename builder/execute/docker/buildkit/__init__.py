"""Builds with BuildKit through the engine's API, without any client program.

BuildKit asks whoever builds for what it may not keep: secrets, and logins at registries. It calls back, by
gRPC over a connection that the builder opened (`POST /session`), so the builder is the server of it.

http2.py     calls over one connection
session.py   what BuildKit may ask for
messages.py  the few protobuf messages that are needed
trace.py     what BuildKit tells while it builds
"""
