"""Build the page and serve it: `python app.py`."""

import sys

from app.page import build_page, launch
from extractors.records import InputError

demo = build_page()

if __name__ == "__main__":
    try:
        launch(demo)
    except InputError as error:  # a setting that cannot be used
        sys.exit(f"coupled-mamba: {error}")
