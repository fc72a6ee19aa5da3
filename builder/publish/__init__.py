"""PUBLISH: Image -> catalog. Entries are the truth, one small file each; every list is derived from them."""
