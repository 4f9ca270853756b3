"""The product: a clip in, an Analysis out, as data, as pictures, as a page, on the command line."""
