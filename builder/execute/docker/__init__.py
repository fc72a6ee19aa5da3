"""The engine that uses a container engine: Docker, Podman, or whatever answers Docker's API.

Nothing of this machine is mounted, so the engine may be another one's. No other module imports `docker`.

address.py    finds an engine
connect.py    speaks to it
ssh.py        leads to one that is elsewhere
tls.py        likewise, by connections of channel.py
kept.py       what one keeps of builds
image.py      layers as images of the engine, found by tag and label
archive.py    entries as the layers of an image that the engine loads
local.py      the images that the engine has anyway
build.py      has it build a Dockerfile (buildkit/ speaks to what does so)
spool.py      content that outlives the stream it came in
container.py  one container for one command
engine.py     the protocol
terminal.py   an interactive shell
"""
