"""One small job in several forms: fetch 2,000 pages, 16 at once, and go on after a kill.

Each form is a script as somebody would write it, in `scripts/`. The server is on this machine; it
notes each request, which is the truth of what was fetched how often.
"""
