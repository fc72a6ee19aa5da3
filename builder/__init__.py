"""wslimg: turns a YAML recipe into an importable WSL distribution.

The folders are the pipeline, in this order::

    load      YAML -> Recipe                 strict, every problem at once, with its place
    resolve   Recipe -> Lock                 exact packages and digests, per architecture
    plan      Recipe + Lock -> Plan          pure: operations with chained keys
    execute   Plan -> layers -> Tree         an engine runs each operation in a container
    pack      Tree -> Image                  cleaned, sorted, compressed, hashed
    inspect   Image -> Inventory             what is inside
    check     Image -> Report                what WSL would make of it
    trial     Image -> Trial                 what happens when WSL imports and starts it
    publish   Images -> Catalog              what `wsl --install NAME` reads

`pipeline` joins them, `cli` starts it, `console` shows it. Below the stages lie the kinds of
`sources` and `steps`, what WSL itself does (`wsl`) and its bsdtar (`extraction`), the archive format
(`tar`), the container primitives (`sandbox`), frozen data (`model`) and what knows nothing of images
(`core`).
Imports go downwards only; `make check` proves it.
"""

__version__ = "0.1.0"
