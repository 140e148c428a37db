"""What the children do; see ``child.py``.

Each public function is a program of its own; it imports what it needs and nothing else, because start
and memory of the whole process are measured.
"""
