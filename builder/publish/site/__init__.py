"""The pages of a catalog, for people: static files that work from a web server, a share and a disk alike.

In the order in which they are used::

    describe   what the channels offer, as the pages tell it
    contents   what is inside an image
    commands   what people type
    explain    what the help page says
    search     the names, versions and packages that the search looks through
    feed       news of a channel (Atom)
    pages      path -> page, each with a key of what it is made from
    derive     writes the pages whose keys have changed
"""
