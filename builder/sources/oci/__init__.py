"""Container images without a container engine: from a registry or a file to one exact tree.

`reference` reads names; `registry` (with `authorization`, `challenge` and `credentials`) and `local` hand
out what a name stands for; `manifest` and `config` read it; `pull` has its layers among the blobs; `scan` and
`flatten` make one tree of them; `settings` turns what images say of containers into what a system reads.
"""
