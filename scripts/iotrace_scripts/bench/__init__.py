"""What tracing costs, how large the files are and how fast they are read, beside what others offer.

`measure` runs commands side by side and keeps figures with their spread; `limits`, `replays`, `files` and `lengths`
are the parts of the benchmark; `peers` and `contrib` bring the others; `table` writes it all down.
"""
