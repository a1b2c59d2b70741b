"""AWS as we know it: a bucket, the parameters, who we are. Its errors become ours here."""
