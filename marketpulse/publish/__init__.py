"""Publish finished files to S3: runs, bundles, folders and single files.

Data goes first, then the seal that lists it, then the pointer `latest.json`. A reader who follows
the pointer finds a complete set at any moment. Importing this package does not load boto3.
"""

from marketpulse.publish.options import PushOptions, PushVerification
from marketpulse.publish.push import push
from marketpulse.publish.receipt import PushedObject, Receipt, check_receipt
from marketpulse.publish.results import push_results
from marketpulse.publish.uri import S3Location, parse_s3_uri

__all__ = [
    "PushOptions",
    "PushVerification",
    "PushedObject",
    "Receipt",
    "S3Location",
    "check_receipt",
    "parse_s3_uri",
    "push",
    "push_results",
]
