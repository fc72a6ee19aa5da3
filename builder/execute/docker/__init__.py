"""The engine that uses a container engine: Docker, Podman, or whatever answers Docker's API.

Nothing of this machine is mounted, so the engine may be another one's. No other module imports `docker`.

connect.py    finds an engine and speaks to it
image.py      layers as images of the engine, found by tag and label
archive.py    entries as the layers of an image that the engine loads
spool.py      content that outlives the stream it came in
container.py  one container for one command
engine.py     the protocol
terminal.py   an interactive shell
"""
