"""Build the page and serve it: `python app.py`."""

from app.page import build_page, launch

demo = build_page()

if __name__ == "__main__":
    launch(demo)
