"""The chart, read as the API server would read it: rendered by helm, judged object by object."""
