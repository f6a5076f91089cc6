"""A sample of requests and answers in files, without what is private."""
