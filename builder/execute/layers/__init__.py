"""Directories in the form that overlayfs gives to what a step changed, worked on without mounting them.

walk.py     follows paths and links, in any tree
match.py    finds what patterns match, in any tree
put.py      what putting an entry means, for any tree
form.py     what whiteouts, opaque directories and overlayfs's own attributes look like
view.py     looks paths up in a stack of layers, following links inside the image
unpack.py   entries -> the first layer
lay.py      puts entries over a stack of layers
remove.py   takes what patterns match out of a stack of layers
merge.py    a stack of layers -> the sorted entries of the tree
"""
