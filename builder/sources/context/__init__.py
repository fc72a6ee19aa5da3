"""The folder that a Dockerfile is built with: what of it is sent, and how it is known again."""
