"""The page's panels, one a file: `render()` makes the components, `listen()` wires them, `show()` fills them."""
