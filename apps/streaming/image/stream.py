"""The main file of a SparkApplication: runs the stream inside Spark's driver."""

import sys

from clickstream_streaming.__main__ import main

if __name__ == "__main__":
    sys.exit(main())
