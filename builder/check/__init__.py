"""CHECK: what WSL, Microsoft's validator, experience and a company's policy say about an image or a list.

`check`, `check_image` and `check_list` (builder.check.run) give a `Report` of findings; rules are rows of
`builder.check.table`, one function each; `builder.check.formats` renders a report.
"""
