"""PACK: Tree -> Image: normalise, tar, parallel gzip with a segment cache."""
