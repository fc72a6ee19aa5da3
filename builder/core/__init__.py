"""What knows nothing of images: errors, events, digests, files, resources, HTTP."""
