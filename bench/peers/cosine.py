"""Prints the least cosine between corresponding rows of two files of float32.

    cosine.py FILE FILE ROWS
"""

import sys

import numpy


def main():
    a, b = (numpy.fromfile(path, "<f4").reshape(int(sys.argv[3]), -1).astype(numpy.float64) for path in sys.argv[1:3])
    lengths = numpy.linalg.norm(a, axis=1) * numpy.linalg.norm(b, axis=1)
    print(numpy.min((a * b).sum(1) / lengths))


if __name__ == "__main__":
    main()
